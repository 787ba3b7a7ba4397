use local_sim_gateway::Invocation;

use super::*;

const STYLE: Style = Style { is_coloured: false };

/// A line without its time.
fn check(write: impl FnOnce(&mut Vec<u8>), expected: &str) {
    let mut line = Vec::new();
    write(&mut line);
    let line = String::from_utf8(line).unwrap();
    let (time, rest) = line.split_once(' ').unwrap();
    assert_eq!(time.len(), "14:02:07.402".len(), "{line}");
    assert_eq!(rest, format!("{expected}\n"));
}

fn invocation(is_cold: bool) -> Invocation {
    Invocation {
        function: "message".to_owned(),
        request_id: None,
        duration: Duration::from_micros(8_740),
        is_cold,
    }
}

fn message<'a>(invocation: Option<&'a Invocation>, route_key: Option<&'a str>) -> Event<'a> {
    Event {
        kind: Kind::Message {
            message_id: None,
            reply: None,
        },
        connection_id: "R1kmxc2VNjMCFIA=",
        route_key,
        invocation,
        status: 200,
        error: None,
    }
}

#[test]
fn a_message_is_one_line() {
    let place = Place {
        topic: "chat.messages".into(),
        partition: 2,
        offset: 7,
    };
    let cold = invocation(true);
    let chat = message(Some(&cold), Some("chat"));
    check(
        |out| event(out, STYLE, &chat, &Answer::Ack, Some(&place)),
        "in    R1kmxc2VN chat         message 8.7 ms cold chat.messages-2@7 ack",
    );
    let warm = invocation(false);
    let chat = message(Some(&warm), Some("chat"));
    check(
        |out| event(out, STYLE, &chat, &Answer::Code("unavailable".into()), None),
        "in    R1kmxc2VN chat         message 8.7 ms unavailable",
    );
    let none = message(None, None);
    check(
        |out| event(out, STYLE, &none, &Answer::Error("Forbidden"), None),
        "in    R1kmxc2VN -            Forbidden",
    );
}

#[test]
fn handshakes_posts_and_ends_are_lines() {
    let of = |kind, route_key| Event {
        kind,
        ..message(None, route_key)
    };
    let refused = of(Kind::Connect, Some("$connect"));
    check(
        |out| event(out, STYLE, &refused, &Answer::Status(401), None),
        "in    R1kmxc2VN $connect     401",
    );
    check(
        |out| event(out, STYLE, &of(Kind::Post(12), None), &Answer::None, None),
        "out   R1kmxc2VN 12 bytes",
    );
    let close = of(
        Kind::Disconnect {
            code: 1001,
            reason: "Going away",
        },
        Some("$disconnect"),
    );
    let answer = Answer::Close(1001, "Going away");
    check(
        |out| event(out, STYLE, &close, &answer, None),
        "in    R1kmxc2VN $disconnect  1001 Going away",
    );
}

#[test]
fn a_client_does_not_control_the_terminal() {
    let answer = Answer::Close(1000, "\x1b[2J");
    let close = message(None, Some("a\nb"));
    check(
        |out| event(out, STYLE, &close, &answer, None),
        r"in    R1kmxc2VN a\nb         1000 \u{1b}[2J",
    );
}

#[test]
fn colours_are_for_terminals() {
    let mut line = Vec::new();
    let style = Style { is_coloured: true };
    event(&mut line, style, &message(None, None), &Answer::Ack, None);
    let line = String::from_utf8(line).unwrap();
    assert!(line.ends_with("\x1b[32mack\x1b[0m\n"), "{line:?}");
}

#[test]
fn a_line_of_a_function_has_its_environment() {
    let origin = Origin {
        function: "message",
        environment: 3,
        request_id: None,
    };
    check(
        |out| printed(out, STYLE, &origin, "hello"),
        "log   message-3 hello",
    );
}

#[test]
fn the_summary_counts_messages_and_answers() {
    let mut counts = Summary::default();
    let cold = invocation(true);
    let event = message(Some(&cold), Some("chat"));
    for answer in [
        Answer::Ack,
        Answer::Ack,
        Answer::Code("unavailable".into()),
        Answer::Error("Internal server error"),
        Answer::None,
    ] {
        counts.count(&event, &answer);
    }
    let mut line = Vec::new();
    summary(&mut line, &counts);
    assert_eq!(
        String::from_utf8(line).unwrap(),
        "5 messages: 2 acknowledged, 1 Internal server error, 1 unavailable; 5 cold starts; p50 8.8 ms, p99 8.8 ms\n"
    );
    let mut line = Vec::new();
    summary(&mut line, &Summary::default());
    assert_eq!(line, b"0 messages: 0 acknowledged; 0 cold starts\n");
}
