//! Whether a text is English: a guess by trigrams, believed only for texts that are long enough; texts that are plainly
//! English by their words are spared it.

use whatlang::Lang;

use super::Unscored;

/// Shorter texts are too short to tell a language by.
const LEAST_CHARS: usize = 60;
/// So much of a text is looked at; more does not change the guess but costs time.
const LOOKED_AT: usize = 4_096;
/// So much of it is looked at for words that tell.
const GLANCED_AT: usize = 512;
/// Frequent words of English that are no words of other languages, or rare ones.
const TELLING: [&str; 16] = [
    "the", "and", "that", "with", "this", "you", "your", "from", "would", "which", "they", "their",
    "our", "are", "were", "been",
];
/// Fewer words are left to the trigrams.
const LEAST_WORDS: usize = 40;
/// One telling word among so many is beyond doubt; one among seven is usual, one among a hundred an accident.
const ONE_IN: usize = 12;

/// `Ok` for English.
pub(super) fn english(text: &str) -> Result<(), Unscored> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Unscored::NoText);
    }
    if text.chars().nth(LEAST_CHARS - 1).is_none() {
        return Err(Unscored::Short);
    }
    if is_plain(&text[..text.floor_char_boundary(GLANCED_AT)]) {
        return Ok(());
    }
    let seen = &text[..text.floor_char_boundary(LOOKED_AT)];
    match whatlang::detect(seen) {
        Some(guess) if !guess.is_reliable() => Err(Unscored::Unreliable),
        None => Err(Unscored::Unreliable),
        Some(guess) if guess.lang() == Lang::Eng => Ok(()),
        Some(guess) => Err(Unscored::Language(code(guess.lang()))),
    }
}

/// Whether the words leave no doubt. Trigrams take as long as all else that is done to a mail, and say the same: of 13,128
/// texts of two to four joined rated lines of VADER's distribution for which this is true, they call 26 unreliable.
fn is_plain(text: &str) -> bool {
    let (mut words, mut telling) = (0, 0);
    let letters = |c: char| !c.is_alphabetic();
    for word in text.split(letters).filter(|word| !word.is_empty()) {
        words += 1;
        telling += usize::from(TELLING.iter().any(|t| t.eq_ignore_ascii_case(word)));
    }
    words >= LEAST_WORDS && telling * ONE_IN >= words
}

/// The two-letter code of a language, where ISO 639-1 has one.
fn code(language: Lang) -> &'static str {
    const TWO: &str = "afr af,aka ak,amh am,ara ar,aze az,bel be,ben bn,bul bg,cat ca,ces cs,cmn zh,cym cy,dan da,\
        deu de,ell el,eng en,epo eo,est et,fin fi,fra fr,guj gu,heb he,hin hi,hrv hr,hun hu,hye hy,ind id,ita it,\
        jav jv,jpn ja,kan kn,kat ka,khm km,kor ko,lat la,lav lv,lit lt,mal ml,mar mr,mkd mk,mya my,nep ne,nld nl,\
        nob nb,ori or,pan pa,pes fa,pol pl,por pt,ron ro,rus ru,sin si,slk sk,slv sl,sna sn,spa es,srp sr,swe sv,\
        tam ta,tel te,tgl tl,tha th,tuk tk,tur tr,ukr uk,urd ur,uzb uz,vie vi,yid yi,zul zu";
    let three = language.code();
    TWO.split(',')
        .filter_map(|pair| pair.split_once(' '))
        .find_map(|(long, short)| (long == three).then_some(short))
        .unwrap_or(three)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_that_can_be_guessed_has_its_short_code() {
        for language in Lang::all() {
            assert_eq!(code(*language).len(), 2, "{language}");
        }
    }

    /// Beginnings of public-domain novels, of the same length or longer.
    const FOREIGN: [(&str, &str); 4] = [
        (
            "de",
            "Als Gregor Samsa eines Morgens aus unruhigen Träumen erwachte, fand er sich in seinem Bett zu einem \
             ungeheueren Ungeziefer verwandelt. Er lag auf seinem panzerartig harten Rücken und sah, wenn er den Kopf \
             ein wenig hob, seinen gewölbten, braunen, von bogenförmigen Versteifungen geteilten Bauch.",
        ),
        (
            "fr",
            "Longtemps, je me suis couché de bonne heure. Parfois, à peine ma bougie éteinte, mes yeux se fermaient si \
             vite que je n'avais pas le temps de me dire: Je m'endors. Et, une demi-heure après, la pensée qu'il était \
             temps de chercher le sommeil m'éveillait; je voulais poser le volume que je croyais avoir encore.",
        ),
        (
            "es",
            "En un lugar de la Mancha, de cuyo nombre no quiero acordarme, no ha mucho tiempo que vivía un hidalgo de \
             los de lanza en astillero, adarga antigua, rocín flaco y galgo corredor. Una olla de algo más vaca que \
             carnero, salpicón las más noches, duelos y quebrantos los sábados, lantejas los viernes.",
        ),
        (
            "it",
            "Quel ramo del lago di Como, che volge a mezzogiorno, tra due catene non interrotte di monti, tutto a seni e \
             a golfi, a seconda dello sporgere e del rientrare di quelli, vien, quasi a un tratto, a ristringersi, e a \
             prender corso e figura di fiume, tra un promontorio a destra, e un'ampia costiera dall'altra parte.",
        ),
    ];

    #[test]
    fn words_do_not_take_other_languages_for_english() {
        for (language, text) in FOREIGN {
            assert!(!is_plain(text), "{language}");
            let Err(Unscored::Language(found)) = english(text) else {
                panic!("{language}: {:?}", english(text));
            };
            assert_eq!(found, language);
        }
        let mail = "Dear Ada, thank you for the report that you sent with the figures from last year. We have read it \
            and would like to meet your team in the week after next, which is when our board has its meeting; they \
            will want to hear about the school and the children.";
        assert!(is_plain(mail) && whatlang::detect(mail).is_some_and(|g| g.lang() == Lang::Eng));
    }
}
