//! Requests and answers as text.

use serde::Deserialize;
use serde_json::value::RawValue;
use tg_model::sync::{Barrier, Publish, Request, SignalEntry, Subscribe};

/// The id of answers to nobody: keep-alives and complaints about what could not be read. A number, since the
/// published Rust SDK parses every id as one, that no counter reaches and that JavaScript holds exactly.
pub(super) const NOBODY: &str = "9007199254740991";

/// Answers above this end published Go clients.
pub(super) const LARGE_ANSWER_BYTES: usize = 32 * 1024;

const MAX_ID_BYTES: usize = 256;
const MAX_ERROR_BYTES: usize = 512;

/// What a client wants.
#[derive(Debug)]
pub(super) enum Wish<'a> {
    Publish { topic: String, payload: &'a RawValue },
    Subscribe { topic: String },
    Signal { state: String },
    Barrier { state: String, target: u64 },
    Cancel,
}

/// A request that makes no sense.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bad {
    /// The id to answer to.
    pub(super) id: String,
    pub(super) text: String,
}

/// Reads a message: text and binary alike.
pub(super) fn parse(message: &[u8]) -> Result<(String, Wish<'_>), Bad> {
    let text =
        std::str::from_utf8(message).map_err(|error| bad(NOBODY, &format!("bad request: not UTF-8: {error}")))?;
    let request: Request<'_> = serde_json::from_str(text).map_err(|error| {
        // The id alone may still be readable, and the client waits for an answer to it.
        let id = serde_json::from_str::<Id>(text).map_or_else(|_| NOBODY.to_owned(), |Id { id }| id);
        bad(&id, &format!("bad request: {error}"))
    })?;
    let Request { id, is_cancel, publish, subscribe, signal_entry, barrier } = request;
    if id.len() > MAX_ID_BYTES {
        return Err(bad(&id, ""));
    }
    if is_cancel {
        return Ok((id, Wish::Cancel));
    }
    let wish = match (publish, subscribe, signal_entry, barrier) {
        (Some(Publish { topic, payload }), None, None, None) => Wish::Publish { topic, payload },
        (None, Some(Subscribe { topic }), None, None) => Wish::Subscribe { topic },
        (None, None, Some(SignalEntry { state }), None) => Wish::Signal { state },
        (None, None, None, Some(Barrier { state, target })) => Wish::Barrier { state, target },
        _ => {
            let text = "bad request: it takes exactly one of `publish`, `subscribe`, `signal_entry` and `barrier`";
            return Err(bad(&id, text));
        }
    };
    Ok((id, wish))
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

fn bad(id: &str, text: &str) -> Bad {
    if id.len() > MAX_ID_BYTES {
        let text = format!("bad request: an id of {} bytes: the limit is {MAX_ID_BYTES}", id.len());
        return Bad { id: NOBODY.to_owned(), text };
    }
    // The parser's text may quote a value of any size.
    Bad { id: id.to_owned(), text: shortened(text, MAX_ERROR_BYTES).to_owned() }
}

/// As much of a text as fits.
pub(super) fn shortened(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// A text as a JSON string literal.
pub(super) fn encode_str(text: &str) -> String {
    // Writing a string to memory cannot fail; the fallback is still a valid literal.
    serde_json::to_string(text).unwrap_or_else(|_| "\"\"".to_owned())
}

/// An answer in pieces, so that an item goes out without being copied together first. `id` is a JSON literal.
pub(super) type Pieces<'a> = [&'a str; 5];

pub(super) fn published<'a>(id: &'a str, seq: &'a str) -> Pieces<'a> {
    ["{\"id\":", id, ",\"error\":\"\",\"publish\":{\"seq\":", seq, "},\"subscribe\":\"\",\"signal_entry\":null}"]
}

pub(super) fn signalled<'a>(id: &'a str, seq: &'a str) -> Pieces<'a> {
    ["{\"id\":", id, ",\"error\":\"\",\"publish\":null,\"subscribe\":\"\",\"signal_entry\":{\"seq\":", seq, "}}"]
}

/// `encoded` is the item's JSON text as a JSON string literal.
pub(super) fn item<'a>(id: &'a str, encoded: &'a str) -> Pieces<'a> {
    ["{\"id\":", id, ",\"error\":\"\",\"publish\":null,\"subscribe\":", encoded, ",\"signal_entry\":null}"]
}

/// The answer of a barrier, and the keep-alive.
pub(super) fn empty(id: &str) -> Pieces<'_> {
    ["{\"id\":", id, ",\"error\":\"\",\"publish\":null,\"subscribe\":\"\",\"signal_entry\":null}", "", ""]
}

/// `encoded` is what [`encode_error`] makes.
pub(super) fn error<'a>(id: &'a str, encoded: &'a str) -> Pieces<'a> {
    ["{\"id\":", id, ",\"error\":", encoded, ",\"publish\":null,\"subscribe\":\"\",\"signal_entry\":null}"]
}

/// The text of an error as a JSON literal whose content is itself a JSON literal: the published Rust SDK decodes it
/// a second time and panics at anything else.
pub(super) fn encode_error(text: &str) -> String {
    encode_str(&encode_str(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tg_model::sync::{Response, Seq};

    use super::*;

    fn answer(id: &str) -> Response {
        Response { id: id.into(), error: String::new(), publish: None, subscribe: String::new(), signal_entry: None }
    }

    #[test]
    fn answers_are_what_the_model_says_byte_for_byte() {
        let seq = Some(Seq { seq: 7 });
        let refused = encode_error("no \"x\"");
        let rows = [
            (published("\"1\"", "7"), Response { publish: seq, ..answer("1") }),
            (signalled("\"2\"", "7"), Response { signal_entry: seq, ..answer("2") }),
            (item("\"3\"", r#""{\"a\":[1]}""#), Response { subscribe: r#"{"a":[1]}"#.into(), ..answer("3") }),
            (empty("\"4\""), answer("4")),
            (error("\"5\"", &refused), Response { error: r#""no \"x\"""#.into(), ..answer("5") }),
        ];
        for (pieces, expected) in rows {
            assert_eq!(pieces.concat(), serde_json::to_string(&expected).unwrap());
        }
    }

    #[test]
    fn an_error_is_a_literal_within_a_literal() {
        assert_eq!(encode_error("boom"), r#""\"boom\"""#);
    }

    #[test]
    fn bad_requests_are_answered_to_the_id_that_they_carry() {
        let long = "x".repeat(300);
        let rows: Vec<(String, &str, &str)> = vec![
            ("nonsense".into(), NOBODY, "bad request: expected"),
            ("{}".into(), NOBODY, "missing field `id`"),
            ("[]".into(), NOBODY, "bad request"),
            (r#"{"id":7}"#.into(), NOBODY, "invalid type: integer"),
            (r#"{"id":"1"}"#.into(), "1", "exactly one of"),
            (
                r#"{"id":"2","signal_entry":{"state":"s"},"barrier":{"state":"s","target":1}}"#.into(),
                "2",
                "exactly one",
            ),
            (r#"{"id":"3","barrier":{"state":"s","target":-1}}"#.into(), "3", "bad request: invalid value"),
            (r#"{"id":"4","barrier":{"state":"s","target":"1"}}"#.into(), "4", "invalid type: string"),
            (r#"{"id":"5","publish":{"topic":"t"}}"#.into(), "5", "missing field `payload`"),
            (r#"{"id":"6","subscribe":{"topic":7}}"#.into(), "6", "invalid type"),
            (
                format!(r#"{{"id":"{long}","subscribe":{{"topic":"t"}}}}"#),
                NOBODY,
                "an id of 300 bytes: the limit is 256",
            ),
            (format!(r#"{{"id":"8","subscribe":"{}"}}"#, long.repeat(10)), "8", "invalid type: string"),
        ];
        for (request, id, text) in rows {
            let error = parse(request.as_bytes()).expect_err(&request);
            assert_eq!(error.id, id, "{request}");
            assert!(error.text.contains(text) && error.text.len() <= MAX_ERROR_BYTES, "{request}: {}", error.text);
        }
        assert!(parse(b"\xff\xfe").expect_err("not UTF-8").text.contains("not UTF-8"));
    }

    #[test]
    fn what_published_sdks_send_is_read() {
        let go = r#"{"id":"0","is_cancel":false,"publish":{"topic":"t","payload":{"a": null}}}"#;
        let (id, wish) = parse(go.as_bytes()).unwrap();
        assert_eq!(id, "0");
        assert!(
            matches!(wish, Wish::Publish { ref topic, payload } if topic == "t" && payload.get() == r#"{"a": null}"#)
        );
        let js = r#"{"barrier":{"state":"s","target":3},"id":"5"}"#;
        assert!(matches!(parse(js.as_bytes()).unwrap(), (_, Wish::Barrier { target: 3, .. })));
        let rust = r#"{"id":"1","is_cancel":false,"publish":null,"subscribe":{"topic":"t"},"signal_entry":null,"barrier":null}"#;
        assert!(matches!(parse(rust.as_bytes()).unwrap(), (_, Wish::Subscribe { .. })));
        let cancel = r#"{"id":"1","is_cancel":true}"#;
        assert!(matches!(parse(cancel.as_bytes()).unwrap(), (_, Wish::Cancel)));
        let null = r#"{"id":"1","publish":{"topic":"t","payload":null}}"#;
        assert!(
            matches!(parse(null.as_bytes()).unwrap(), (_, Wish::Publish { payload, .. }) if payload.get() == "null")
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Err(Bad { id, text }) = parse(&bytes) {
                prop_assert!(id.len() <= MAX_ID_BYTES && !text.is_empty());
            }
        }

        #[test]
        fn almost_requests_are_read_or_refused(
            id in ".{0,300}",
            keys in proptest::collection::vec("(id|is_cancel|publish|subscribe|signal_entry|barrier|topic|state|x)", 0..6),
            values in proptest::collection::vec(r#"(null|true|-1|18446744073709551616|1e3|"é\\ud800"|\{\}|\{"topic":"t"\}|\[\[)"#, 6),
        ) {
            let pairs: Vec<_> = keys.iter().zip(&values).map(|(key, value)| format!(",\"{key}\":{value}")).collect();
            let text = format!("{{\"id\":{}{}}}", encode_str(&id), pairs.concat());
            if let Err(Bad { id: answered, text }) = parse(text.as_bytes()) {
                prop_assert!(answered == NOBODY || answered == id);
                prop_assert!(text.len() <= MAX_ERROR_BYTES && !text.is_empty());
            }
        }

        #[test]
        fn a_payload_comes_out_as_it_went_in(payload in r#"("([a-z]|\\\\n){0,20}"|[1-9][0-9]{0,30}|\{"k": \[1 , "é"\]\})"#) {
            let text = format!(r#"{{"id":"1","publish":{{"topic":"t","payload":{payload}}}}}"#);
            let (_, wish) = parse(text.as_bytes()).expect("a good request");
            let Wish::Publish { payload: read, .. } = wish else { return Err(TestCaseError::fail("not a publish")) };
            let answer: Response = serde_json::from_str(&item("\"1\"", &encode_str(read.get())).concat()).expect("an answer");
            prop_assert_eq!(answer.subscribe, payload);
        }
    }
}
