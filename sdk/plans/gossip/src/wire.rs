//! What libp2p-gossipsub tells of the control messages that it receives: types whose content it does not export, read
//! from their `Debug`. The version is pinned.

use std::fmt::Debug;

/// A control message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    IHave {
        topic: String,
        ids: Vec<Vec<u8>>,
    },
    IWant(Vec<Vec<u8>>),
    Graft(String),
    Prune(String),
    IDontWant(Vec<Vec<u8>>),
    /// What the format of traces has no place for.
    Other,
}

/// Reads a control message; nothing if this version of the library writes it in another way.
pub fn control(message: &impl Debug) -> Option<Control> {
    read(&format!("{message:?}"))
}

fn read(text: &str) -> Option<Control> {
    let (kind, rest) = text.split_once('(')?;
    Some(match kind {
        "IHave" => Control::IHave { topic: topic(rest)?, ids: ids(rest)? },
        "IWant" => Control::IWant(ids(rest)?),
        "Graft" => Control::Graft(topic(rest)?),
        "Prune" => Control::Prune(topic(rest)?),
        "IDontWant" => Control::IDontWant(ids(rest)?),
        "Extensions" => Control::Other,
        _ => return None,
    })
}

/// The topic in `TopicHash { hash: "t0" }`. Topics of this plan have no quotes in them.
fn topic(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("TopicHash { hash: \"")?;
    Some(rest.split_once('"')?.0.to_owned())
}

/// The ids in `message_ids: [MessageId(0a1b), MessageId(0c)]`.
fn ids(text: &str) -> Option<Vec<Vec<u8>>> {
    let (_, rest) = text.rsplit_once("message_ids: [")?;
    let (list, _) = rest.split_once(']')?;
    list.split(", ").filter(|one| !one.is_empty()).map(id).collect()
}

/// The bytes in `MessageId(0a1b)`.
fn id(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("MessageId(")?.strip_suffix(')')?;
    let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|n| u8::try_from(n).ok());
    if digits.len() % 2 != 0 {
        return None;
    }
    digits.as_bytes().chunks(2).map(|pair| Some(nibble(pair[0])? << 4 | nibble(pair[1])?)).collect()
}

/// The id of the message in `Publish { message_id: MessageId(0a1b), .. }`, which could not be sent in time.
pub fn dropped(message: &impl Debug) -> Option<Vec<u8>> {
    let text = format!("{message:?}");
    let (_, rest) = text.strip_prefix("Publish {")?.split_once("message_id: ")?;
    id(&rest[..=rest.find(')')?])
}

#[cfg(test)]
mod tests {
    use libp2p::gossipsub::MessageId;

    use super::*;

    #[test]
    fn control_messages_are_read() {
        // As the library's own types write themselves.
        let ids = format!("{:?}", [MessageId::new(&[0x0a, 0xff]), MessageId::new(&[0x01])]);
        let topic = format!("{:?}", libp2p::gossipsub::TopicHash::from_raw("t0"));
        let both = vec![vec![0x0a, 0xff], vec![0x01]];
        for (text, wanted) in [
            (
                format!("IHave(IHave {{ topic_hash: {topic}, message_ids: {ids} }})"),
                Control::IHave { topic: "t0".to_owned(), ids: both.clone() },
            ),
            (format!("IWant(IWant {{ message_ids: {ids} }})"), Control::IWant(both.clone())),
            ("IWant(IWant { message_ids: [] })".to_owned(), Control::IWant(Vec::new())),
            (format!("IDontWant(IDontWant {{ message_ids: {ids} }})"), Control::IDontWant(both)),
            (format!("Graft(Graft {{ topic_hash: {topic} }})"), Control::Graft("t0".to_owned())),
            (
                format!("Prune(Prune {{ topic_hash: {topic}, peers: [], backoff: Some(60) }})"),
                Control::Prune("t0".to_owned()),
            ),
            ("Extensions(Some(Extensions { partial_messages: None }))".to_owned(), Control::Other),
        ] {
            assert_eq!(read(&text), Some(wanted), "{text}");
        }
        for text in ["", "IHave", "IWant(IWant { ids: [] })", "IWant(IWant { message_ids: [MessageId(0)] })", "New(1)"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_dropped_message_is_read() {
        struct Told(&'static str);
        impl Debug for Told {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.0)
            }
        }
        let text = "Publish { message_id: MessageId(0a1b), message: RawMessage { source: None }, timeout: Delay }";
        assert_eq!(dropped(&Told(text)), Some(vec![0x0a, 0x1b]));
        assert_eq!(dropped(&Told("Subscribe { topic: x }")), None);
    }
}
