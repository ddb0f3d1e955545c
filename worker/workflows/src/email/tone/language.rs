//! Whether a text is English: a guess by trigrams, believed only for texts that are long enough.

use whatlang::Lang;

use super::Unscored;

/// Shorter texts are too short to tell a language by.
const LEAST_CHARS: usize = 60;
/// So much of a text is looked at; more does not change the guess but costs time.
const LOOKED_AT: usize = 4_096;

/// `Ok` for English.
pub(super) fn english(text: &str) -> Result<(), Unscored> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Unscored::NoText);
    }
    if text.chars().nth(LEAST_CHARS - 1).is_none() {
        return Err(Unscored::Short);
    }
    let seen = &text[..text.floor_char_boundary(LOOKED_AT)];
    match whatlang::detect(seen) {
        Some(guess) if !guess.is_reliable() => Err(Unscored::Unreliable),
        None => Err(Unscored::Unreliable),
        Some(guess) if guess.lang() == Lang::Eng => Ok(()),
        Some(guess) => Err(Unscored::Language(code(guess.lang()))),
    }
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
}
