//! Texts with a form: addresses, postcodes, identifiers, currencies.
//!
//! Invariant: the whole text must fit, blanks included: a cell with a stray blank is not clean. Deliberately absent:
//! whether an address exists.

use std::sync::LazyLock;

use regex::Regex;

fn fits(pattern: &LazyLock<Regex>, text: &str) -> bool {
    /// Longer than any of these forms.
    const MOST: usize = 2_048;
    text.len() <= MOST && pattern.is_match(text)
}

fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a constant pattern that tests compile")
}

/// A mailbox with a domain of at least two labels.
pub(in crate::excel) fn is_email(text: &str) -> bool {
    static FORM: LazyLock<Regex> = LazyLock::new(|| {
        compiled(
            r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@([\p{L}\p{N}]([\p{L}\p{N}-]*[\p{L}\p{N}])?\.)+[\p{L}]{2,}$",
        )
    });
    fits(&FORM, text) && text.find('@').is_some_and(|at| at <= 64)
}

/// An address of the web with scheme and host.
pub(in crate::excel) fn is_url(text: &str) -> bool {
    static FORM: LazyLock<Regex> = LazyLock::new(|| {
        compiled(
            r"^(?i:https?|ftp)://([\p{L}\p{N}]([\p{L}\p{N}_-]*[\p{L}\p{N}])?\.)+[\p{L}]{2,}\.?(:\d{1,5})?([/?#][^\s]*)?$",
        )
    });
    fits(&FORM, text)
}

/// A postcode of the United Kingdom in capitals, with its blank. WORKFLOWS 6.4.
pub(in crate::excel) fn is_postcode(text: &str) -> bool {
    static FORM: LazyLock<Regex> =
        LazyLock::new(|| compiled(r"^[A-Z]{1,2}[0-9][A-Z0-9]? [0-9][A-Z]{2}$"));
    fits(&FORM, text)
}

/// An identifier of an organisation with its register, org-id.guide: `GB-CHC-1164883`.
pub(in crate::excel) fn is_org_id(text: &str) -> bool {
    static FORM: LazyLock<Regex> =
        LazyLock::new(|| compiled(r"^([A-Z]{2}-[A-Z0-9_]+|360G)-[A-Za-z0-9][A-Za-z0-9._:/-]*$"));
    fits(&FORM, text)
}

/// A code of ISO 4217 in use.
pub(in crate::excel) fn is_currency(text: &str) -> bool {
    text.len() == 3 && CURRENCIES.split(' ').any(|code| code == text)
}

/// The currencies of ISO 4217 (list one, without metals, units of account and test codes).
const CURRENCIES: &str = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP \
BYN BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ \
GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD \
MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR \
RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH \
UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_accept_and_refuse() {
        type Form = fn(&str) -> bool;
        let cases: &[(Form, &[&str], &[&str])] = &[
            (
                is_email,
                &["a.b+c@x.org", "o'n@sub.x.co.uk"],
                &["a@b", "a b@x.org", "@x.org", "a@x..org", "a@x.org "],
            ),
            (
                is_url,
                &["https://x.org", "http://a.b.uk:80/c?d#e"],
                &["x.org", "https://", "https://x", "javascript:alert(1)"],
            ),
            (
                is_postcode,
                &["SW1A 1AA", "M1 1AE", "B33 8TH"],
                &["sw1a 1aa", "SW1A 1AA ", "10023", "SW1A  1AA", "M11AE"],
            ),
            (
                is_org_id,
                &["GB-CHC-1164883", "360G-ABCT-x"],
                &["1164883", "GB-CHC-", "GB CHC 1"],
            ),
            (is_currency, &["GBP", "EUR"], &["gbp", "XYZ", "GB", "P G"]),
        ];
        for (form, good, bad) in cases {
            for text in *good {
                assert!(form(text), "{text}");
            }
            for text in *bad {
                assert!(!form(text), "{text}");
            }
        }
    }
}
