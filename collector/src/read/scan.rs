//! An object in one line of JSON, value by value: for the short lines that plans write, several times as fast as a
//! deserializer. What is rare (escapes, long numbers, lists and objects as values) is left to `serde_json`.

use std::borrow::Cow;

use serde_json::Value as Json;

use super::json::Text;

/// The text is no JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bad;

/// One value of an object.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell<'a> {
    Null,
    Bool(bool),
    Int(i64),
    /// One that is no `i64`.
    Uint(u64),
    Float(f64),
    Text(Text<'a>),
    /// A list or an object.
    Json(Box<Json>),
}

/// Reads an object from its first key to its end.
#[derive(Debug)]
pub(crate) struct Scan<'a> {
    text: &'a str,
    at: usize,
    /// Nothing of the object that is being read was read yet.
    first: bool,
}

/// Powers of ten that a double holds exactly.
const TENS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];
/// Whole numbers up to this are doubles.
const WHOLE: u64 = 1 << 53;
/// So many digits fit into a `u64`, whatever they are.
const DIGITS: usize = 19;

impl<'a> Scan<'a> {
    /// Begins to read an object.
    pub(crate) fn object(text: &'a str) -> Result<Self, Bad> {
        let mut scan = Self { text, at: 0, first: true };
        scan.blank();
        scan.expect(b'{')?;
        Ok(scan)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blank(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Bad> {
        if self.peek() == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        Err(Bad)
    }

    /// The next key; the value that follows it must be read before the one after it. `None` ends the object, and the one
    /// around it goes on.
    pub(crate) fn key(&mut self) -> Result<Option<Text<'a>>, Bad> {
        self.blank();
        if self.peek() == Some(b'}') {
            self.at += 1;
            self.first = false;
            return Ok(None);
        }
        if !self.first {
            self.expect(b',')?;
            self.blank();
        }
        self.first = false;
        let key = self.string()?;
        self.blank();
        self.expect(b':')?;
        self.blank();
        Ok(Some(key))
    }

    /// Steps into the object that is the value of the key; false if it is something else.
    pub(crate) fn enter(&mut self) -> bool {
        let object = self.peek() == Some(b'{');
        if object {
            self.at += 1;
            self.first = true;
        }
        object
    }

    /// The value of the key.
    pub(crate) fn value(&mut self) -> Result<Cell<'a>, Bad> {
        match self.peek().ok_or(Bad)? {
            b'"' => self.string().map(Cell::Text),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word("true", Cell::Bool(true)),
            b'f' => self.word("false", Cell::Bool(false)),
            b'n' => self.word("null", Cell::Null),
            _ => {
                let mut values = serde_json::Deserializer::from_str(&self.text[self.at..]).into_iter::<Json>();
                let nested = values.next().and_then(Result::ok).ok_or(Bad)?;
                self.at += values.byte_offset();
                Ok(Cell::Json(Box::new(nested)))
            }
        }
    }

    /// Nothing may follow the object.
    pub(crate) fn end(mut self) -> Result<(), Bad> {
        self.blank();
        if self.at == self.text.len() { Ok(()) } else { Err(Bad) }
    }

    fn word(&mut self, word: &str, cell: Cell<'a>) -> Result<Cell<'a>, Bad> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(Bad);
        }
        self.at += word.len();
        Ok(cell)
    }

    fn string(&mut self) -> Result<Text<'a>, Bad> {
        self.expect(b'"')?;
        let begin = self.at;
        let end = self.special()?;
        if self.text.as_bytes()[end] == b'"' {
            self.at = end + 1;
            return Ok(Text(Cow::Borrowed(&self.text[begin..end])));
        }
        self.at = end;
        while self.text.as_bytes()[self.at] == b'\\' {
            self.at += 2;
            self.at = self.special()?;
        }
        self.at += 1;
        let text = serde_json::from_str(&self.text[begin - 1..self.at]).or(Err(Bad))?;
        Ok(Text(Cow::Owned(text)))
    }

    /// Where the next quote or backslash of a string is. A control character may not stand in one.
    fn special(&self) -> Result<usize, Bad> {
        const ONES: u64 = u64::from_ne_bytes([1; 8]);
        const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
        let bytes = self.text.as_bytes();
        let mut at = self.at;
        // Eight at once: the lowest high bit of `found` is that of the first such byte.
        while let Some(eight) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
            let eight = u64::from_le_bytes(*eight);
            let equal = |byte: u8| {
                let differ = eight ^ (ONES * u64::from(byte));
                differ.wrapping_sub(ONES) & !differ
            };
            let control = eight.wrapping_sub(ONES * 0x20) & !eight;
            let found = (equal(b'"') | equal(b'\\') | control) & HIGHS;
            if found != 0 {
                at += (found.trailing_zeros() / 8) as usize;
                return if bytes[at] < 0x20 { Err(Bad) } else { Ok(at) };
            }
            at += 8;
        }
        let rest = bytes.get(at..).ok_or(Bad)?;
        let more = rest.iter().position(|&byte| byte == b'"' || byte == b'\\' || byte < 0x20).ok_or(Bad)?;
        if rest[more] < 0x20 { Err(Bad) } else { Ok(at + more) }
    }

    fn number(&mut self) -> Result<Cell<'a>, Bad> {
        let bytes = self.text.as_bytes();
        let begin = self.at;
        let negative = bytes[begin] == b'-';
        let mut at = begin + usize::from(negative);
        let mut digits = 0_u64;
        let mut take = |at: &mut usize| {
            let from = *at;
            while let Some(&digit @ b'0'..=b'9') = bytes.get(*at) {
                digits = digits.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
                *at += 1;
            }
            *at - from
        };
        let whole_at = at;
        let whole = take(&mut at);
        let mut part = 0;
        let point = bytes.get(at) == Some(&b'.');
        if point {
            at += 1;
            part = take(&mut at);
        }
        let odd = whole == 0
            || (whole > 1 && bytes[whole_at] == b'0')
            || (point && part == 0)
            || whole + part > DIGITS
            || matches!(bytes.get(at), Some(b'e' | b'E'));
        if odd {
            return self.odd_number();
        }
        self.at = at;
        if !point {
            return Ok(match (negative, i64::try_from(digits)) {
                (false, Ok(n)) => Cell::Int(n),
                (false, Err(_)) => Cell::Uint(digits),
                (true, Ok(0)) => Cell::Float(-0.0),
                (true, Ok(n)) => Cell::Int(-n),
                (true, Err(_)) => return self.again(begin),
            });
        }
        if digits > WHOLE {
            return self.text[begin..at].parse().map(Cell::Float).or(Err(Bad));
        }
        // Both are exact, so that their quotient is the nearest double.
        let x = digits as f64 / TENS[part];
        Ok(Cell::Float(if negative { -x } else { x }))
    }

    fn again(&mut self, begin: usize) -> Result<Cell<'a>, Bad> {
        self.at = begin;
        self.odd_number()
    }

    /// A number with an exponent or many digits, or none.
    fn odd_number(&mut self) -> Result<Cell<'a>, Bad> {
        let rest = &self.text[self.at..];
        let length = rest.bytes().position(|byte| !matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
        let text = &rest[..length.unwrap_or(rest.len())];
        let number: serde_json::Number = serde_json::from_str(text).or(Err(Bad))?;
        self.at += text.len();
        Ok(if let Some(n) = number.as_i64() {
            Cell::Int(n)
        } else if let Some(n) = number.as_u64() {
            Cell::Uint(n)
        } else {
            // What `serde_json` makes of it may be a double further.
            Cell::Float(text.parse().or(Err(Bad))?)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(text: &str) -> Result<Vec<(String, Cell<'_>)>, Bad> {
        let mut scan = Scan::object(text)?;
        let mut entries = Vec::new();
        while let Some(key) = scan.key()? {
            entries.push((key.0.into_owned(), scan.value()?));
        }
        scan.end()?;
        Ok(entries)
    }

    fn json(cell: &Cell<'_>) -> Json {
        match cell {
            Cell::Null => Json::Null,
            Cell::Bool(yes) => (*yes).into(),
            Cell::Int(n) => (*n).into(),
            Cell::Uint(n) => (*n).into(),
            Cell::Float(x) => (*x).into(),
            Cell::Text(text) => text.as_str().into(),
            Cell::Json(json) => json.as_ref().clone(),
        }
    }

    /// What the JSON library says of a line: its entries, with doubles as the standard library reads them.
    fn check(line: &str) {
        let wanted = serde_json::from_str::<serde_json::Map<String, Json>>(line);
        match (all(line), wanted) {
            (Err(Bad), Err(_)) => {}
            (Ok(got), Ok(wanted)) => {
                let mut last = serde_json::Map::new();
                for (key, cell) in &got {
                    last.insert(key.clone(), json(cell));
                }
                assert_eq!(last.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>(), "{line}");
                for (key, value) in &wanted {
                    match (value.is_f64().then(|| value.as_f64()).flatten(), last[key].as_f64()) {
                        (Some(a), Some(b)) if last[key].is_f64() => {
                            assert!(a.to_bits().abs_diff(b.to_bits()) <= 1, "{line}: {a} {b}");
                        }
                        _ => assert_eq!(value, &last[key], "{line}"),
                    }
                }
            }
            (got, wanted) => panic!("{line}: {got:?} and not {wanted:?}"),
        }
    }

    #[test]
    fn lines_are_read_as_the_json_library_reads_them() {
        let numbers = [
            "0",
            "-0",
            "00",
            "-",
            "1",
            "-1",
            "01",
            "1.",
            ".5",
            "1.5",
            "-1.50",
            "0.1",
            "1e3",
            "1E-3",
            "1e",
            "1e+",
            "1e999",
            "-1e-999",
            "9007199254740993",
            "9007199254740993.0",
            "0.30000000000000004",
            "123456789012345678.9",
            "9223372036854775807",
            "9223372036854775808",
            "-9223372036854775808",
            "-9223372036854775809",
            "18446744073709551615",
            "18446744073709551616",
            "9999999999999999999",
            "99999999999999999999",
            "0.0000000000000000000000001",
            "1.7976931348623157e308",
            "1-2",
            "1+",
            "--1",
            "1.2.3",
            "+1",
            "NaN",
            "1 2",
            "2.2250738585072011e-308",
            "1234567890.1234567891",
        ];
        for number in numbers {
            check(&format!(r#"{{"a":{number}}}"#));
            check(&format!(r#"{{"a":{number}"#));
            check(&format!(r#"{{"a": {number} ,"b":[{number}]}}"#));
        }
        let texts = [
            "",
            "a",
            "1234567",
            "12345678",
            "123456789",
            "é",
            "1234567é",
            "\\n",
            "1234567\\\"",
            "\\ud83d\\ude00",
            "\\ud800",
            "\\",
            "\\x",
            "a\tb",
            "12345678\u{1}",
            "\u{7f}\u{80}\u{ff}",
            "\\\\",
            "\\\\\\\"",
            "\u{0}",
        ];
        for text in texts {
            check(&format!(r#"{{"{text}":"{text}","b":"{text}"}}"#));
            check(&format!(r#"{{"a":"{text}"#));
        }
        for line in [
            "",
            " ",
            "{",
            "}",
            "{}",
            "{} ",
            " { } ",
            "{} {}",
            "{},",
            "[]",
            "1",
            "null",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            r#"{,"a":1}"#,
            r#"{"a":1 "b":2}"#,
            r#"{"a":1,,"b":2}"#,
            r"{a:1}",
            r#"{"a":tru}"#,
            r#"{"a":true,"b":false,"c":null}"#,
            r#"{"a":trueb}"#,
            r#"{"a":[1,{"b":[]}],"c":{"d":{"e":"\u00e9"}}}"#,
            r#"{"a":[1,}"#,
            r#"{"a":["\ud800"]}"#,
            r#"{"a":[1e999]}"#,
            r#"{"a":1,"a":"x"}"#,
            "{\"a\"\t:\r\n1}",
            r#"{"a":1}}"#,
            "\u{a0}{}",
            r#"{"":0}"#,
        ] {
            check(line);
        }
    }

    #[test]
    fn doubles_are_the_nearest() {
        for text in [
            "0.1",
            "0.3",
            "2.675",
            "0.30000000000000004",
            "9007199254740993.5",
            "123456789.987654321",
            "1e23",
            "8.5e-7",
        ] {
            let line = format!(r#"{{"a":{text}}}"#);
            assert_eq!(all(&line), Ok(vec![("a".to_owned(), Cell::Float(text.parse().expect("a number")))]));
        }
    }

    #[test]
    fn one_object_within_another_is_stepped_into() {
        let mut scan = Scan::object(r#"{"a":{"b":1,"c":{}},"d":2}"#).expect("an object");
        assert_eq!(scan.key().expect("a key").expect("a key").as_str(), "a");
        assert!(scan.enter());
        assert_eq!(scan.key().expect("a key").expect("a key").as_str(), "b");
        assert!(!scan.enter());
        assert_eq!(scan.value(), Ok(Cell::Int(1)));
        assert_eq!(scan.key().expect("a key").expect("a key").as_str(), "c");
        assert!(scan.enter());
        assert_eq!(scan.key(), Ok(None));
        assert_eq!(scan.key(), Ok(None));
        assert_eq!(scan.key().expect("a key").expect("a key").as_str(), "d");
        assert_eq!(scan.value(), Ok(Cell::Int(2)));
        assert_eq!(scan.key(), Ok(None));
        assert_eq!(scan.end(), Ok(()));
    }

    proptest! {
        #[test]
        fn any_line_is_read_as_the_json_library_reads_it(line in r#"[ ]?\{("(a|b|é|\\n|\\u00e9|[ -~]{0,9})":(-?[0-9]{1,21}(\.[0-9]{1,20})?([eE][-+]?[0-9]{1,3})?|"[ -~é]{0,12}"|true|null|\[1\]|\{\}),?){0,4}\}?"#) {
            check(&line);
        }
    }
}
