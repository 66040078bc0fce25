//! What goes over the wire, byte for byte.

use tokio_tungstenite::tungstenite::Message;

use super::client::Service;

/// Requests in turn on one connection and the answers, as the published SDKs write and expect them.
#[tokio::test]
async fn answers_have_all_five_keys() {
    let service = Service::start().await;
    let mut client = service.client().await;
    let rows = [
        (
            r#"{"id":"0","is_cancel":false,"publish":{"topic":"run:r:topics:t","payload":{"foo":"bar"}}}"#,
            r#"{"id":"0","error":"","publish":{"seq":1},"subscribe":"","signal_entry":null}"#,
        ),
        (
            r#"{"publish":{"topic":"run:r:topics:t","payload":null},"id":"1"}"#,
            r#"{"id":"1","error":"","publish":{"seq":2},"subscribe":"","signal_entry":null}"#,
        ),
        (
            r#"{"id":"2","signal_entry":{"state":"run:r:states:s"}}"#,
            r#"{"id":"2","error":"","publish":null,"subscribe":"","signal_entry":{"seq":1}}"#,
        ),
        (
            r#"{"id":"3","barrier":{"state":"run:r:states:s","target":1}}"#,
            r#"{"id":"3","error":"","publish":null,"subscribe":"","signal_entry":null}"#,
        ),
        (
            r#"{"id":"4","barrier":{"state":"run:r:states:none","target":0}}"#,
            r#"{"id":"4","error":"","publish":null,"subscribe":"","signal_entry":null}"#,
        ),
        (
            r#"{"id":"5","subscribe":{"topic":"run:r:topics:t"}}"#,
            r#"{"id":"5","error":"","publish":null,"subscribe":"{\"foo\":\"bar\"}","signal_entry":null}"#,
        ),
    ];
    for (request, expected) in rows {
        client.send(request).await;
        assert_eq!(client.text().await, expected);
    }
    let second = r#"{"id":"5","error":"","publish":null,"subscribe":"null","signal_entry":null}"#;
    assert_eq!(client.text().await, second);
    client.send(r#"{"id":"6"}"#).await;
    let error = r#"{"id":"6","error":"\"bad request: it takes exactly one of `publish`, `subscribe`, `signal_entry` and `barrier`\"","publish":null,"subscribe":"","signal_entry":null}"#;
    assert_eq!(client.text().await, error);
}

#[tokio::test]
async fn binary_frames_are_requests_too() {
    let service = Service::start().await;
    let mut client = service.client().await;
    let request = br#"{"id":"1","signal_entry":{"state":"s"}}"#;
    client.send_message(Message::binary(request.to_vec())).await;
    assert_eq!(client.answer().await.signal_entry.unwrap().seq, 1);
}
