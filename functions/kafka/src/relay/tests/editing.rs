//! What becomes of requests and answers on their way.

use proptest::{collection::vec, prelude::*};

use crate::relay::{
    answer,
    frame::{FRAME_BYTES_MAX, FrameError, Frames},
    link::LinkState,
    metadata::PartitionCounts,
    request::{self, API_VERSIONS, METADATA, PRODUCE},
    state::State,
};

const FETCH: i16 = 1;

/// A request with an API, a version and a correlation id, or an answer without
/// the first two; and how it goes on.
fn frame(head: &[i16], correlation_id: i32, body: &[u8]) -> Vec<u8> {
    let mut frame: Vec<u8> = head.iter().flat_map(|field| field.to_be_bytes()).collect();
    frame.extend(correlation_id.to_be_bytes());
    frame.extend(body);
    let length = i32::try_from(frame.len()).unwrap();
    [&length.to_be_bytes(), frame.as_slice()].concat()
}

fn request(api: i16, version: i16, correlation_id: i32, body: &[u8]) -> Vec<u8> {
    frame(&[api, version], correlation_id, body)
}

fn answer(correlation_id: i32, body: &[u8]) -> Vec<u8> {
    frame(&[], correlation_id, body)
}

/// What becomes of requests, and of answers to them, in pieces of these sizes;
/// and whether the client is throttled by then.
fn check(
    requests: &[Vec<u8>],
    answers: &[Vec<u8>],
    pieces: &[usize],
) -> Result<(Vec<u8>, Vec<u8>, bool), FrameError> {
    let state = State::default();
    let (up, down) = edited(requests, answers, pieces, &state)?;
    Ok((up, down, state.throttled_until().is_some()))
}

fn edited(
    requests: &[Vec<u8>],
    answers: &[Vec<u8>],
    pieces: &[usize],
    state: &State,
) -> Result<(Vec<u8>, Vec<u8>), FrameError> {
    let link = LinkState::default();
    let up = each(&requests.concat(), pieces, |frame| {
        link.asked(request::edit(frame)?)
    })?;
    let down = each(&answers.concat(), pieces, |frame| {
        let request = link.answered(answer::correlation_id(frame)?)?;
        answer::edit(frame, request, state)
    })?;
    Ok((up, down))
}

/// The frames of what comes in pieces of these sizes, over and over, or all in
/// one where there are none; each after `edit`.
fn each(
    mut bytes: &[u8],
    sizes: &[usize],
    mut edit: impl FnMut(&mut [u8]) -> Result<(), FrameError>,
) -> Result<Vec<u8>, FrameError> {
    let mut frames = Frames::new();
    let mut edited = Vec::new();
    let mut sizes = sizes.iter().cycle();
    while !bytes.is_empty() {
        let size = *sizes.next().unwrap_or(&bytes.len());
        let (piece, rest) = bytes.split_at(size.min(bytes.len()));
        bytes = rest;
        frames.buffer().extend_from_slice(piece);
        while let Some(mut frame) = frames.next()? {
            edit(&mut frame)?;
            edited.extend_from_slice(&frame);
        }
    }
    Ok(edited)
}

/// The answer to a produce request of that version, and whether it throttles.
fn produced(version: i16, body: &[u8]) -> Result<(Vec<u8>, bool), FrameError> {
    let requests = [request(PRODUCE, version, 7, b"records")];
    let (_, down, throttled) = check(&requests, &[answer(7, body)], &[])?;
    Ok((down, throttled))
}

#[test]
fn a_throttle_time_is_taken_out_of_a_produce_answer_and_told() {
    for version in 1..=8 {
        assert_eq!(
            produced(version, b"results\0\0\x01\x2c"),
            Ok((answer(7, b"results\0\0\0\0"), true))
        );
    }
}

#[test]
fn a_produce_answer_without_a_throttle_time_is_left_as_it_is() {
    let unthrottled = answer(7, b"results\0\0\0\0");
    assert_eq!(produced(7, b"results\0\0\0\0"), Ok((unthrottled, false)));
    // What cannot be a time is none.
    assert_eq!(
        produced(7, b"results\xff\xff\xff\xff").map(|(_, throttled)| throttled),
        Ok(false)
    );
}

#[test]
fn a_produce_answer_that_ends_otherwise_is_not_touched_but_refused() {
    for version in [0, 9, 10] {
        let refused = FrameError::Version {
            api: PRODUCE,
            version,
            understood: 1..=8,
        };
        assert_eq!(produced(version, b"results\0\0\0\0"), Err(refused));
    }
}

/// The answer to a request about topics of that version, and whether it throttles.
fn described(version: i16, body: &[u8]) -> (Vec<u8>, bool) {
    let requests = [request(METADATA, version, 7, b"topics?")];
    let (_, down, throttled) = check(&requests, &[answer(7, body)], &[]).unwrap();
    (down, throttled)
}

#[test]
fn a_throttle_time_is_taken_out_of_an_answer_about_topics_and_told() {
    let body = b"\0\0\x01\x2ctopics";
    for version in 3..=8 {
        assert_eq!(
            described(version, body),
            (answer(7, b"\0\0\0\0topics"), true)
        );
    }
    for version in [0, 2, 9] {
        assert_eq!(described(version, body), (answer(7, body), false));
    }
    let unthrottled = b"\0\0\0\0topics";
    assert_eq!(described(4, unthrottled), (answer(7, unthrottled), false));
}

/// The topics that an answer about them tells while rskafka connects.
fn listed(version: i16, body: &[u8], pieces: &[usize]) -> Result<PartitionCounts, FrameError> {
    let state = State::listing();
    let requests = [request(METADATA, version, 7, b"all")];
    edited(&requests, &[answer(7, body)], pieces, &state)?;
    Ok(state.connected())
}

#[test]
fn topics_are_told_while_the_client_connects() {
    let body = b"\0\0\0\0\0\0\0\0\xff\xff\0\0\0\x01\0\0\0\x01\0\0\0\x01t\0\0\0\0\0";
    let expected = PartitionCounts::from([("t".to_owned(), None)]);
    for pieces in [&[][..], &[1], &[2, 3]] {
        assert_eq!(listed(4, body, pieces), Ok(expected.clone()));
    }
    // Afterwards it asks for some of them.
    let state = State::listing();
    state.connected();
    let requests = [request(METADATA, 4, 7, b"some")];
    assert!(edited(&requests, &[answer(7, body)], &[], &state).is_ok());
    assert!(state.connected().is_empty());
}

#[test]
fn topics_and_a_throttle_time_are_told_of_one_answer_and_the_last_answer_counts() {
    let body = |topic: &[u8]| {
        let brokers = b"\0\0\x01\x2c\0\0\0\0\xff\xff\0\0\0\x01\0\0\0\x01\0\0\0\x01";
        [brokers, topic, b"\0\0\0\0\0"].concat()
    };
    let requests = [1, 2].map(|id| request(METADATA, 4, id, b"all"));
    let answers = [answer(1, &body(b"a")), answer(2, &body(b"b"))];
    for pieces in [&[][..], &[1], &[2, 3]] {
        let state = State::listing();
        edited(&requests, &answers, pieces, &state).unwrap();
        assert!(state.throttled_until().is_some());
        let expected = PartitionCounts::from([("b".to_owned(), None)]);
        assert_eq!(state.connected(), expected);
    }
}

#[test]
fn an_answer_that_does_not_tell_topics_is_refused_while_the_client_connects() {
    assert_eq!(listed(4, b"\0\0\0\0topics", &[]), Err(FrameError::Topics));
    let refused = FrameError::Version {
        api: METADATA,
        version: 5,
        understood: 0..=4,
    };
    assert_eq!(listed(5, b"\0\0\0\0topics", &[]), Err(refused));
}

#[test]
fn a_throttle_time_is_taken_out_of_an_answer_about_versions_and_told() {
    let check = |version, body: &[u8], pieces: &[usize]| {
        let requests = [request(API_VERSIONS, version, 7, b"")];
        let (_, down, throttled) = check(&requests, &[answer(7, body)], pieces).unwrap();
        (down, throttled)
    };
    let told = |body: &[u8]| (answer(7, body), true);
    for pieces in [&[][..], &[1], &[2, 3]] {
        let body = b"\0\0\x02\0\x12\0\0\0\x03\0\0\0\x01\x2c\x01\x02\x03abc";
        let without = b"\0\0\x02\0\x12\0\0\0\x03\0\0\0\0\0\x01\x02\x03abc";
        assert_eq!(check(3, body, pieces), told(without));
        let body = b"\0\0\0\0\0\x01\0\x12\0\0\0\x03\0\0\x01\x2c";
        let without = b"\0\0\0\0\0\x01\0\x12\0\0\0\x03\0\0\0\0";
        assert_eq!(check(2, body, pieces), told(without));
        // Version 0 has none.
        assert_eq!(check(0, body, pieces), (answer(7, body), false));
    }
}

#[test]
fn other_answers_are_left_as_they_are() {
    let requests = [request(FETCH, 4, 7, b"")];
    let answers = [answer(7, b"\0\0\x01\x2crecords\0\0\x01\x2c")];
    let (_, down, throttled) = check(&requests, &answers, &[]).unwrap();
    assert_eq!((down, throttled), (answers.concat(), false));
}

#[test]
fn a_request_about_topics_creates_none() {
    let check = |version, body: &[u8]| {
        let requests = [request(METADATA, version, 7, body)];
        check(&requests, &[], &[]).map(|(up, _, _)| up)
    };
    let asking = |version, body: &[u8]| Ok(request(METADATA, version, 7, body));
    for version in 4..=7 {
        assert_eq!(check(version, b"topic\x01"), asking(version, b"topic\0"));
    }
    assert_eq!(check(3, b"topic\x01"), asking(3, b"topic\x01"));
}

#[test]
fn answers_are_told_apart_by_the_order_of_their_requests() {
    let requests = [
        request(FETCH, 4, 1, b""),
        request(PRODUCE, 7, 2, b"records"),
        request(FETCH, 4, 3, b""),
    ];
    let time = b"\0\0\0\x01";
    let answers = [1, 2, 3].map(|id| answer(id, time));
    let expected = [answer(1, time), answer(2, &[0; 4]), answer(3, time)];
    let (_, down, _) = check(&requests, &answers, &[]).unwrap();
    assert_eq!(down, expected.concat());
}

#[test]
fn an_answer_to_nothing_is_refused() {
    let requests = [request(FETCH, 4, 1, b"")];
    let error = |found, expected| Err(FrameError::Answer { found, expected });
    assert_eq!(check(&requests, &[answer(2, b"")], &[]), error(2, Some(1)));
    assert_eq!(check(&[], &[answer(1, b"")], &[]), error(1, None));
}

#[test]
fn what_is_no_frame_is_refused() {
    let check = |bytes: &[u8]| check(&[bytes.to_vec()], &[], &[]);
    let http = i32::from_be_bytes(*b"GET ");
    assert_eq!(check(b"GET / HTTP/1.1"), Err(FrameError::Length(http)));
    let too_long = i32::try_from(FRAME_BYTES_MAX).unwrap() + 1;
    for length in [-1, i32::MIN, 0, 7, too_long] {
        let bytes = [&length.to_be_bytes(), [0; 8].as_slice()].concat();
        assert_eq!(check(&bytes), Err(FrameError::Length(length)));
    }
}

#[test]
fn an_answer_that_is_no_frame_is_refused() {
    let requests = [request(FETCH, 4, 1, b"")];
    let too_long = i32::try_from(FRAME_BYTES_MAX).unwrap() + 1;
    for length in [-1, i32::MIN, 0, 3, too_long] {
        let answer = [&length.to_be_bytes(), [0; 4].as_slice()].concat();
        let refused = Err(FrameError::Length(length));
        assert_eq!(check(&requests, &[answer], &[]), refused);
    }
}

#[test]
fn frames_that_end_too_early_for_a_field_go_through_as_they_are() {
    for api in [PRODUCE, METADATA, API_VERSIONS] {
        for body in [b"".as_slice(), b"\0", b"\0\0\0"] {
            let requests = [request(api, 4, 1, b"")];
            let answers = [answer(1, body)];
            let (up, down, throttled) = check(&requests, &answers, &[]).unwrap();
            assert_eq!(
                (up, down, throttled),
                (requests.concat(), answers.concat(), false)
            );
        }
    }
}

#[test]
fn requests_without_an_answer_are_bounded() {
    let requests = |count| (0..count).map(|id| request(FETCH, 4, id, b"")).collect();
    let check = |requests: Vec<_>| check(&requests, &[], &[]).map(|_| ());
    assert_eq!(check(requests(256)), Ok(()));
    assert_eq!(check(requests(257)), Err(FrameError::TooManyRequests(256)));
}

proptest! {
    #[test]
    fn pieces_make_no_difference(
        exchanges in vec((0..4_i16, 4..=7_i16, vec(any::<u8>(), 0..40), vec(any::<u8>(), 4..40)), 0..20),
        pieces in vec(1..20_usize, 0..5),
    ) {
        let (requests, answers): (Vec<_>, Vec<_>) = (0..)
            .zip(&exchanges)
            .map(|(id, (api, version, asked, answered))| {
                (request(*api, *version, id, asked), answer(id, answered))
            })
            .unzip();
        let whole = check(&requests, &answers, &[]);
        prop_assert!(whole.is_ok());
        prop_assert_eq!(whole, check(&requests, &answers, &pieces));
    }
}
