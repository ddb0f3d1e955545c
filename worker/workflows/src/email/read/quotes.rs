//! What the writer of a mail added: the body without quotes, headers of quotes, and signature.
//!
//! A heuristic by lines, after talon and the email-reply-parsers: good on the usual programs, silent about its errors,
//! which is why the stripped share is reported. Every pattern is linear (`regex`) and tried on few lines only.

use std::sync::OnceLock;

use regex::Regex;

use super::super::limits;
use super::super::message::NewText;

/// "On ... wrote:" may be folded over so many lines.
const ATTRIBUTION_LINES: usize = 4;
/// Lines of a header block that are looked at.
const BLOCK_LINES: usize = 8;
/// Longer lines are no attributions.
const ATTRIBUTION_BYTES: usize = 600;

/// Line ends as `\n`, white space at line ends and empty lines at the end gone; whether the text was cut at its cap.
pub(super) fn normal(body: &str) -> (String, bool) {
    let cut = body.len() > limits::MAX_BODY_BYTES;
    let body = &body[..body.floor_char_boundary(limits::MAX_BODY_BYTES)];
    let mut out = String::with_capacity(body.len());
    for line in body.lines() {
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    (out, cut)
}

/// The new text of a normal body. `cut` says that the body itself was cut before.
pub(super) fn new_text(body: &str, cut: bool) -> NewText {
    let lines: Vec<&str> = body.lines().collect();
    let mut text = String::new();
    let mut at = 0;
    while at < lines.len() {
        match judge(&lines, at) {
            Verdict::New => {
                text.push_str(lines[at]);
                text.push('\n');
                at += 1;
            }
            Verdict::Skip(count) => at += count,
            Verdict::End => break,
        }
    }
    let (body_chars, kept) = (solid(body), solid(&text));
    let text = text.trim();
    let keep = text.floor_char_boundary(limits::MAX_TEXT_BYTES);
    NewText {
        text: text[..keep].to_owned(),
        body_chars,
        stripped_chars: body_chars.saturating_sub(kept),
        truncated: cut || keep < text.len(),
    }
}

/// Characters that are not white space.
fn solid(text: &str) -> u32 {
    let count = text.chars().filter(|c| !c.is_whitespace()).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

enum Verdict {
    New,
    /// So many lines are not the writer's.
    Skip(usize),
    /// Nothing that follows is.
    End,
}

fn judge(lines: &[&str], at: usize) -> Verdict {
    let line = lines[at];
    let trimmed = line.trim_start();
    if is_quoted(line) {
        return Verdict::Skip(1);
    }
    if trimmed.is_empty() {
        return Verdict::New;
    }
    // "-- " ends what is written; its final space rarely survives.
    if line == "--" || line == "\u{2014}" {
        return signature(lines, at);
    }
    if is_divider(trimmed) || is_header_block(lines, at) {
        return Verdict::End;
    }
    if let Some(count) = attribution(lines, at) {
        let quoted_follows = lines[at + count..]
            .iter()
            .find(|l| !l.trim().is_empty())
            .is_none_or(|l| is_quoted(l));
        // Programs that do not mark quoted lines put the whole old mail behind the attribution.
        return if quoted_follows {
            Verdict::Skip(count)
        } else {
            Verdict::End
        };
    }
    if is_sent_from(trimmed) {
        return Verdict::Skip(1);
    }
    Verdict::New
}

fn is_quoted(line: &str) -> bool {
    let indent = line.len() - line.trim_start().len();
    indent < 4 && line[indent..].starts_with('>')
}

/// A signature ends where a quote begins: some programs put the signature above the quoted mail, and an answer may
/// follow below it.
fn signature(lines: &[&str], at: usize) -> Verdict {
    let length = lines[at + 1..]
        .iter()
        .enumerate()
        .position(|(i, line)| is_quoted(line) || attribution(lines, at + 1 + i).is_some())
        .map(|found| found + 1);
    length.map_or(Verdict::End, Verdict::Skip)
}

/// "-----Original Message-----" and its kin, "Begin forwarded message:", a rule of underscores.
fn is_divider(line: &str) -> bool {
    static DIVIDER: OnceLock<Regex> = OnceLock::new();
    if !line.starts_with(['-', '_', '=', 'B', 'D', 'A', 'I', 'W']) || line.len() > 120 {
        return false;
    }
    DIVIDER
        .get_or_init(|| {
            compiled(concat!(
                r"(?i)^(?:[-_=\s]{2,}(?:original\s?message|original appointment|forwarded message|forwarded by .*|",
                r"urspr[uü]ngliche (?:nachricht|e-mail|mail)|weitergeleitete nachricht|message (?:d'origine|original|transféré)|",
                r"mensaje original|mensaje reenviado|mensagem original|messaggio originale|messaggio inoltrato|",
                r"oorspronkelijk bericht|ursprungligt meddelande|oprindelig meddelelse|opprinnelig melding|",
                r"alkuperäinen viesti|wiadomość oryginalna|původní zpráva|исходное сообщение)[-_=\s]*",
                r"|_{20,}|begin forwarded message:|début du message réexpédié\s?:|anfang der weitergeleiteten nachricht:|",
                r"inizio messaggio inoltrato:|inicio del mensaje reenviado:)$"
            ))
        })
        .is_match(line)
}

/// Names of header fields as Outlook writes them, by languages; lower case, without the colon.
const SENDER_FIELDS: [&str; 14] = [
    "from",
    "von",
    "de",
    "da",
    "van",
    "från",
    "fra",
    "lähettäjä",
    "od",
    "от",
    "发件人",
    "差出人",
    "보낸 사람",
    "kimden",
];
const OTHER_FIELDS: [&str; 66] = [
    "sent",
    "date",
    "to",
    "cc",
    "subject",
    "gesendet",
    "datum",
    "an",
    "betreff",
    "envoyé",
    "envoyé le",
    "date d'envoi",
    "à",
    "a",
    "objet",
    "enviado",
    "enviado el",
    "enviada em",
    "enviado em",
    "fecha",
    "para",
    "asunto",
    "assunto",
    "data",
    "inviato",
    "data invio",
    "oggetto",
    "per conto di",
    "verzonden",
    "aan",
    "onderwerp",
    "skickat",
    "till",
    "ämne",
    "sendt",
    "til",
    "emne",
    "dato",
    "lähetetty",
    "vastaanottaja",
    "aihe",
    "wysłano",
    "do",
    "temat",
    "odesláno",
    "komu",
    "předmět",
    "отправлено",
    "кому",
    "тема",
    "дата",
    "reply-to",
    "antwort an",
    "kopie",
    "kopia",
    "copie",
    "发送时间",
    "收件人",
    "主题",
    "送信日時",
    "宛先",
    "件名",
    "보낸 날짜",
    "받는 사람",
    "제목",
    "importance",
];

/// The name of a header field at the start of a line, bold marks of converted HTML left out.
fn field_name(line: &str) -> Option<String> {
    let line = line.trim().trim_start_matches('*');
    let end = line.find([':', '：']).filter(|end| *end <= 24)?;
    Some(
        line[..end]
            .trim()
            .trim_end_matches('*')
            .trim()
            .to_lowercase(),
    )
}

/// "From:" with two more fields of its kind in the next lines.
fn is_header_block(lines: &[&str], at: usize) -> bool {
    let first = field_name(lines[at]);
    if !first.is_some_and(|name| SENDER_FIELDS.contains(&name.as_str())) {
        return false;
    }
    let others = lines[at + 1..]
        .iter()
        .take(BLOCK_LINES)
        .filter_map(|line| field_name(line))
        .filter(|name| OTHER_FIELDS.contains(&name.as_str()))
        .count();
    others >= 2
}

/// The number of lines of an "On ... wrote:" that begins here.
fn attribution(lines: &[&str], at: usize) -> Option<usize> {
    let starts = lines[at].trim_start().chars().next()?;
    if !starts.is_alphanumeric() && !matches!(starts, '"' | '\'' | '<' | '*' | '[' | '-') {
        return None;
    }
    // All of them end in a colon: without one near, there is nothing to try.
    let count = lines[at..]
        .iter()
        .take(ATTRIBUTION_LINES)
        .take_while(|line| !line.trim().is_empty() && !is_quoted(line))
        .position(|line| line.trim_end().ends_with([':', '：']))?
        + 1;
    // The last line that begins one is its first: what stands before it is the writer's.
    let folded = |from: usize| attributes(&lines[from..at + count], folded());
    let alone = || count == 1 && attributes(&lines[at..=at], whole());
    ((folded(at) && !(at + 1..at + count).any(folded)) || alone()).then_some(count)
}

/// Whether these lines together fit the pattern of an attribution.
fn attributes(lines: &[&str], pattern: &Regex) -> bool {
    let joined = lines
        .iter()
        .map(|line| line.trim())
        .collect::<Vec<_>>()
        .join(" ");
    // A date or an address stands in every one; "As she wrote:" has neither.
    let evidence = joined.contains(|c: char| c.is_ascii_digit() || c == '@' || c == '<');
    if joined.len() > ATTRIBUTION_BYTES || !evidence {
        return false;
    }
    pattern.is_match(&joined)
}

/// Attributions by the word with which they begin: they may be folded over several lines.
fn folded() -> &'static Regex {
    static FOLDED: OnceLock<Regex> = OnceLock::new();
    FOLDED.get_or_init(|| {
        compiled(concat!(
            r"(?i)^[-*\s]*(?:",
            r"on\b.*\b(?:wrote|writes)|",
            r"le\b.*\ba écrit|",
            r"(?:am|um)\b.*\b(?:schrieb|hat geschrieben)\b.*|",
            r"el\b.*\bescribi[óo]|",
            r"il\b.*\bha scritto|",
            r"em\b.*\bescreveu|",
            r"op\b.*\b(?:schreef|heeft .* geschreven)\b.*|",
            r"den\b.*\bskrev\b.*|",
            r"(?:w dniu|dnia)\b.*\b(?:pisze|napisał(?:\(a\)|a|/a)?)|",
            r"dne\b.*\bnapsal(?:\(a\)|a)?",
            r")\s*[:：]$"
        ))
    })
}

/// Attributions that may begin with anything, so they must stand on one line.
fn whole() -> &'static Regex {
    static WHOLE: OnceLock<Regex> = OnceLock::new();
    WHOLE.get_or_init(|| {
        compiled(concat!(
            r"(?i)^(?:",
            r".*\bkirjoitti(?:\b.*)?|",
            r".*\b(?:пишет|написал(?:\(а\)|а)?)|",
            r".*\bnapisał(?:\(a\)|a)?|",
            r".*\btarihinde\b.*\byazdı|",
            r".*(?:写道|のメール|님이 작성)|",
            // The usual form in every language: a year, then who in angle brackets.
            r".*\b(?:19|20)\d\d\b.*<[^>\s]+@[^>\s]+>|",
            r".{0,80}<[^>\s]+@[^>\s]+>\s+(?:wrote|writes|schrieb|a écrit|escribió|ha scritto|escreveu|schreef|skrev)",
            r")\s*[:：]$"
        ))
    })
}

/// "Sent from my iPhone" and its kin.
fn is_sent_from(line: &str) -> bool {
    static SENT_FROM: OnceLock<Regex> = OnceLock::new();
    // Most lines are ruled out by their first letter.
    if line.len() > 100 || !line.starts_with(|c: char| "SsVvGgEeIiLlWw\u{41e}\u{43e}".contains(c)) {
        return false;
    }
    SENT_FROM
        .get_or_init(|| {
            compiled(concat!(
                r"(?i)^(?:sent (?:from|via) (?:my |the )?\S.{0,60}|sent from mail for windows.*|get outlook for \S.{0,20}|",
                r"von meinem \S.{0,40}gesendet|gesendet (?:von|mit) \S.{0,40}|envoyé (?:de|depuis) (?:mon|ma) \S.{0,40}|",
                r"enviado (?:desde|do) (?:mi |meu )?\S.{0,40}|inviato da(?:l mio)? \S.{0,40}|verzonden vanaf mijn \S.{0,40}|",
                r"skickat från min \S.{0,40}|sendt fra min \S.{0,40}|wysłane z \S.{0,40}|lähetetty \S.{0,40}|отправлено с \S.{0,40})$"
            ))
        })
        .is_match(line)
}

fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a constant and tested")
}
