//! `POST /call-to-number`: what each dialect is answered, and what is refused how.

use pbx::Unplaced;

use super::*;

const CALL: &str = "/api/integration/v2/call-to-number";
pub(super) const JSON: &str = "application/json";

impl Server {
    async fn post(&self, content_type: &str, body: &str) -> Answer {
        self.post_to(CALL, content_type, body).await
    }

    /// Stands for the drive loop: says that to the next who asks for a call.
    async fn answer_with(&self, outcome: Result<CallId, Unplaced>) {
        let Message::Originate(asked) = self.asked_of_drive().await else {
            panic!("a call is asked for");
        };
        assert_eq!(asked.account, AccountId(1));
        asked.reply.send(outcome).unwrap();
    }

    async fn asks(&self, body: &str, outcome: Result<CallId, Unplaced>) -> Answer {
        let (answer, ()) = tokio::join!(self.post(JSON, body), self.answer_with(outcome));
        answer
    }
}

#[tokio::test]
async fn the_message_is_a_word_for_json_and_an_object_for_forms() {
    let server = server(&lenient());
    let multipart = "--b\r\nContent-Disposition: form-data; name=\"user\"\r\n\r\n1010\r\n\
                     --b\r\nContent-Disposition: form-data; name=\"number_to_call\"\r\n\r\n\
                     61400000002\r\n--b--\r\n";
    let cases = [
        (
            JSON,
            r#"{"user_number":"1010","number_to_call":"61400000002","caller_id":null}"#,
            json!("Success"),
        ),
        (
            "application/x-www-form-urlencoded",
            "user_number=1010&number_to_call=61400000002&caller_id=",
            json!({"status": "success"}),
        ),
        (
            "multipart/form-data; boundary=b",
            multipart,
            json!({"status": "success"}),
        ),
    ];
    for (content_type, body, message) in cases {
        let begun = Ok(CallId(id(7)));
        let (answer, ()) = tokio::join!(server.post(content_type, body), server.answer_with(begun));
        assert_eq!(answer.status, 200);
        let call = id(7).to_string();
        let expect = json!({
            "status": "success", "message": message, "code": 200, "call_id": call,
            "data": {
                "unique_call_id": call, "call_id": call, "user": "1010",
                "user_name": "John Smith", "user_number": "1010", "caller_id": "1010",
                "dest_number": "61400000002", "number_to_call": "61400000002",
                "status": "success",
            },
        });
        assert_eq!(answer.body, expect, "{content_type}");
    }
}

#[tokio::test]
async fn a_field_that_breaks_its_rule_is_named() {
    let server = server(&lenient());
    for (body, name) in [
        ("{}", "user_number"),
        (r#"{"user_number":"1010"}"#, "number_to_call"),
        (
            r#"{"user_number":"1010","number_to_call":" "}"#,
            "number_to_call",
        ),
        (
            r#"{"user_number":"1010","number_to_call":"1099"}"#,
            "number_to_call",
        ),
        (
            r#"{"user_number":"7","number_to_call":"1020"}"#,
            "user_number",
        ),
        (
            r#"{"user_number":"1010","number_to_call":"1020","caller_id":"61299999999"}"#,
            "caller_id",
        ),
    ] {
        let answer = server.post(JSON, body).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["code"]),
            (422, &json!(422))
        );
        let message = answer.body["message"].as_str().unwrap();
        assert!(message.starts_with(name), "{message}");
        assert_eq!(answer.body["data"], Value::Null);
    }
    for (content_type, body) in [(JSON, "{"), ("text/plain", "user_number=1010")] {
        assert_eq!(server.post(content_type, body).await.status, 400);
    }
    let long = "x".repeat(100_000);
    assert_eq!(server.post(JSON, &long).await.status, 400);
}

#[tokio::test]
async fn what_cannot_begin_now_is_said() {
    let server = server(&lenient());
    let body = r#"{"user_number":"1010","number_to_call":"1020"}"#;
    for (why, status) in [
        (Unplaced::NotRegistered, 409),
        (Unplaced::LimitReached, 409),
        (Unplaced::Unavailable, 503),
        (Unplaced::UnknownUser, 422),
        (Unplaced::Forbidden, 422),
    ] {
        let answer = server.asks(body, Err(why)).await;
        assert_eq!(answer.status.as_u16(), status, "{why:?}");
        assert_eq!(answer.body["status"], "error");
        let may_come_again = answer.headers.contains_key("retry-after");
        assert_eq!(may_come_again, status == 503);
    }
}

#[tokio::test]
async fn a_method_that_is_none_and_a_key_that_is_none() {
    let server = server(&lenient());
    let get = Request::get(CALL).header("token", KEY);
    let get = get.body(Body::empty()).unwrap();
    assert_eq!(server.ask(get, LISTED).await.status, 405);
    let post = Request::post(CALL).body(Body::empty()).unwrap();
    assert_eq!(server.ask(post, LISTED).await.status, 401);
}
