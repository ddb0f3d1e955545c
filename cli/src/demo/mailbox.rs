//! A small invented mailbox: letters to donors of the network, and their answers.
//!
//! Who answers follows from the data: those who gave in the last complete year do, the others do not; every third is
//! not written to at all. Invariant: the same book gives the same bytes. Deliberately absent: real people's words.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::book::Book;

/// Our own address.
pub(super) const OWN: &str = "office@us.example";

/// What we write, one after the other.
const LETTERS: [(&str, &str); 3] = [
    (
        "What your gift made possible",
        "Here is what your last gift made possible: twelve founders finished the spring programme, and nine of them now employ somebody.",
    ),
    (
        "An evening with the founders",
        "We would be delighted to see you at our open evening in October; the founders you helped will be there to tell their stories.",
    ),
    (
        "Plans for next year",
        "May I call you next week about our plans for the coming year? I would value your thoughts before we decide.",
    ),
];
/// What a donor who cares answers.
const ANSWERS: [&str; 3] = [
    "Thank you so much, this is wonderful news and I am very happy to have been a part of it. Please keep me posted.",
    "What a lovely idea, I would love to come and to meet them. Please count me in, and I will bring a good friend.",
    "Yes, please do call on Tuesday; I am glad you ask. I was a little worried about the programme, but this sounds great.",
];
/// Days before `as_of` on which the letters go out.
const SENT_DAYS_AGO: [i64; 3] = [160, 75, 33];
const FINE: &str = "writing to a string cannot fail";

/// The domain that only this donor's mails come from.
pub(super) fn domain(donor: &str) -> String {
    format!("{donor}.example")
}

/// The donors that were written to, with their place in the network's order.
pub(super) fn written_to(book: &Book) -> impl Iterator<Item = (usize, &str)> {
    let known = book.known.iter().map(String::as_str).enumerate();
    known.filter(|(place, _)| place % 3 != 2)
}

/// The mailbox, in the mbox format.
pub(super) fn mbox(book: &Book) -> String {
    let mut text = String::new();
    for (place, donor) in written_to(book) {
        let answers = book.gave_last_year(donor);
        for (number, (letter, answer)) in LETTERS.iter().zip(ANSWERS).enumerate() {
            let id = format!("{donor}.{number}");
            let sent = moment(book.as_of, SENT_DAYS_AGO[number], place, 0);
            let to = format!("friend@{}", domain(donor));
            let letter = Mail {
                id: &id,
                reply_to: None,
                from: OWN,
                to: &to,
                sent,
                subject: letter.0,
                text: letter.1,
            };
            letter.write(&mut text);
            if answers {
                let reply = format!("{id}.re");
                let hours = 2 + (place * 5 + number * 3) % 40;
                let subject = format!("Re: {}", letter.subject);
                let answer = Mail {
                    id: &reply,
                    reply_to: Some(&id),
                    from: &to,
                    to: OWN,
                    sent: moment(book.as_of, SENT_DAYS_AGO[number], place, hours),
                    subject: &subject,
                    text: answer,
                };
                answer.write(&mut text);
            }
        }
    }
    text
}

/// So many days before a day, a little apart for each donor, and so many hours later.
fn moment(as_of: Date, days_ago: i64, place: usize, hours: usize) -> Timestamp {
    let minutes = i64::try_from(hours * 60 + place * 7).unwrap_or(0);
    let morning = as_of.at(9, 0, 0, 0).to_zoned(TimeZone::UTC);
    let morning = morning.map_or(Timestamp::UNIX_EPOCH, |zoned| zoned.timestamp());
    morning - jiff::SignedDuration::from_hours(24 * days_ago)
        + jiff::SignedDuration::from_mins(minutes)
}

struct Mail<'a> {
    id: &'a str,
    reply_to: Option<&'a str>,
    from: &'a str,
    to: &'a str,
    sent: Timestamp,
    subject: &'a str,
    text: &'a str,
}

impl Mail<'_> {
    fn write(&self, mbox: &mut String) {
        let sent = self.sent.to_zoned(TimeZone::UTC);
        let envelope = sent.strftime("%a %b %e %H:%M:%S %Y");
        let date = sent.strftime("%a, %d %b %Y %H:%M:%S +0000");
        write!(
            mbox,
            "From {} {envelope}\r\nFrom: {}\r\nTo: {}\r\nDate: {date}\r\nMessage-ID: <{}@demo.example>\r\n",
            self.from, self.from, self.to, self.id
        )
        .expect(FINE);
        if let Some(id) = self.reply_to {
            write!(
                mbox,
                "In-Reply-To: <{id}@demo.example>\r\nReferences: <{id}@demo.example>\r\n"
            )
            .expect(FINE);
        }
        write!(
            mbox,
            "Subject: {}\r\n\r\n{}\r\n\r\n",
            self.subject, self.text
        )
        .expect(FINE);
    }
}
