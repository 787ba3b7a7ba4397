//! How requests and responses are edited.

use proptest::{collection::vec, prelude::*};

use crate::relay::{
    frame::{FRAME_BYTES_MAX, FrameError, Frames},
    link::LinkState,
    metadata::PartitionCounts,
    request::{self, API_VERSIONS, METADATA, PRODUCE},
    response,
    state::State,
};

const FETCH: i16 = 1;

/// A frame with the fields `head`, a correlation id and a body.
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

fn response(correlation_id: i32, body: &[u8]) -> Vec<u8> {
    frame(&[], correlation_id, body)
}

/// The edited requests and responses, and whether the client is throttled.
///
/// The bytes arrive in pieces of these sizes.
fn check(
    requests: &[Vec<u8>],
    responses: &[Vec<u8>],
    pieces: &[usize],
) -> Result<(Vec<u8>, Vec<u8>, bool), FrameError> {
    let state = State::default();
    let (up, down) = edit_all(requests, responses, pieces, &state)?;
    Ok((up, down, state.throttled_until().is_some()))
}

fn edit_all(
    requests: &[Vec<u8>],
    responses: &[Vec<u8>],
    pieces: &[usize],
    state: &State,
) -> Result<(Vec<u8>, Vec<u8>), FrameError> {
    let link = LinkState::default();
    let up = edit_frames(&requests.concat(), pieces, |frame| {
        link.request_sent(request::edit(frame)?)
    })?;
    let down = edit_frames(&responses.concat(), pieces, |frame| {
        let request = link.response_received(response::correlation_id(frame)?)?;
        response::edit(frame, request, state)
    })?;
    Ok((up, down))
}

/// Applies `edit` to each frame of bytes that arrive in pieces.
///
/// The sizes repeat. Without sizes, all bytes arrive in one piece.
fn edit_frames(
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

/// The edited response to a Produce request of this version, and whether it throttles.
fn produced(version: i16, body: &[u8]) -> Result<(Vec<u8>, bool), FrameError> {
    let requests = [request(PRODUCE, version, 7, b"records")];
    let (_, down, throttled) = check(&requests, &[response(7, body)], &[])?;
    Ok((down, throttled))
}

#[test]
fn the_throttle_time_of_a_produce_response_is_zeroed_and_recorded() {
    for version in 1..=8 {
        assert_eq!(
            produced(version, b"results\0\0\x01\x2c"),
            Ok((response(7, b"results\0\0\0\0"), true))
        );
    }
}

#[test]
fn a_produce_response_that_does_not_throttle_is_unchanged() {
    let unthrottled = response(7, b"results\0\0\0\0");
    assert_eq!(produced(7, b"results\0\0\0\0"), Ok((unthrottled, false)));
    // A negative time is ignored.
    assert_eq!(
        produced(7, b"results\xff\xff\xff\xff").map(|(_, throttled)| throttled),
        Ok(false)
    );
}

#[test]
fn a_produce_response_of_an_unsupported_version_is_an_error() {
    for version in [0, 9, 10] {
        let error = FrameError::Version {
            api: PRODUCE,
            version,
            supported: 1..=8,
        };
        assert_eq!(produced(version, b"results\0\0\0\0"), Err(error));
    }
}

/// The edited response to a Metadata request of this version, and whether it throttles.
fn described(version: i16, body: &[u8]) -> (Vec<u8>, bool) {
    let requests = [request(METADATA, version, 7, b"topics?")];
    let (_, down, throttled) = check(&requests, &[response(7, body)], &[]).unwrap();
    (down, throttled)
}

#[test]
fn the_throttle_time_of_a_metadata_response_is_zeroed_and_recorded() {
    let body = b"\0\0\x01\x2ctopics";
    for version in 3..=8 {
        assert_eq!(
            described(version, body),
            (response(7, b"\0\0\0\0topics"), true)
        );
    }
    for version in [0, 2, 9] {
        assert_eq!(described(version, body), (response(7, body), false));
    }
    let unthrottled = b"\0\0\0\0topics";
    assert_eq!(described(4, unthrottled), (response(7, unthrottled), false));
}

/// The topics recorded from a Metadata response while rskafka connects.
fn listed(version: i16, body: &[u8], pieces: &[usize]) -> Result<PartitionCounts, FrameError> {
    let state = State::collecting_topics();
    let requests = [request(METADATA, version, 7, b"all")];
    edit_all(&requests, &[response(7, body)], pieces, &state)?;
    Ok(state.connected())
}

#[test]
fn topics_are_recorded_only_while_the_client_connects() {
    let body = b"\0\0\0\0\0\0\0\0\xff\xff\0\0\0\x01\0\0\0\x01\0\0\0\x01t\0\0\0\0\0";
    let expected = PartitionCounts::from([("t".to_owned(), None)]);
    for pieces in [&[][..], &[1], &[2, 3]] {
        assert_eq!(listed(4, body, pieces), Ok(expected.clone()));
    }
    // Once connected, the client requests only some topics.
    let state = State::collecting_topics();
    state.connected();
    let requests = [request(METADATA, 4, 7, b"some")];
    assert!(edit_all(&requests, &[response(7, body)], &[], &state).is_ok());
    assert!(state.connected().is_empty());
}

#[test]
fn one_response_can_carry_topics_and_a_throttle_time_and_the_last_topics_apply() {
    let body = |topic: &[u8]| {
        let brokers = b"\0\0\x01\x2c\0\0\0\0\xff\xff\0\0\0\x01\0\0\0\x01\0\0\0\x01";
        [brokers, topic, b"\0\0\0\0\0"].concat()
    };
    let requests = [1, 2].map(|id| request(METADATA, 4, id, b"all"));
    let responses = [response(1, &body(b"a")), response(2, &body(b"b"))];
    for pieces in [&[][..], &[1], &[2, 3]] {
        let state = State::collecting_topics();
        edit_all(&requests, &responses, pieces, &state).unwrap();
        assert!(state.throttled_until().is_some());
        let expected = PartitionCounts::from([("b".to_owned(), None)]);
        assert_eq!(state.connected(), expected);
    }
}

#[test]
fn an_invalid_metadata_response_is_an_error_while_the_client_connects() {
    assert_eq!(listed(4, b"\0\0\0\0topics", &[]), Err(FrameError::Metadata));
    let error = FrameError::Version {
        api: METADATA,
        version: 5,
        supported: 0..=4,
    };
    assert_eq!(listed(5, b"\0\0\0\0topics", &[]), Err(error));
}

#[test]
fn the_throttle_time_of_an_api_versions_response_is_zeroed_and_recorded() {
    let check = |version, body: &[u8], pieces: &[usize]| {
        let requests = [request(API_VERSIONS, version, 7, b"")];
        let (_, down, throttled) = check(&requests, &[response(7, body)], pieces).unwrap();
        (down, throttled)
    };
    let zeroed = |body: &[u8]| (response(7, body), true);
    for pieces in [&[][..], &[1], &[2, 3]] {
        let body = b"\0\0\x02\0\x12\0\0\0\x03\0\0\0\x01\x2c\x01\x02\x03abc";
        let without = b"\0\0\x02\0\x12\0\0\0\x03\0\0\0\0\0\x01\x02\x03abc";
        assert_eq!(check(3, body, pieces), zeroed(without));
        let body = b"\0\0\0\0\0\x01\0\x12\0\0\0\x03\0\0\x01\x2c";
        let without = b"\0\0\0\0\0\x01\0\x12\0\0\0\x03\0\0\0\0";
        assert_eq!(check(2, body, pieces), zeroed(without));
        // Version 0 has no throttle time.
        assert_eq!(check(0, body, pieces), (response(7, body), false));
    }
}

#[test]
fn other_responses_are_unchanged() {
    let requests = [request(FETCH, 4, 7, b"")];
    let responses = [response(7, b"\0\0\x01\x2crecords\0\0\x01\x2c")];
    let (_, down, throttled) = check(&requests, &responses, &[]).unwrap();
    assert_eq!((down, throttled), (responses.concat(), false));
}

#[test]
fn a_metadata_request_does_not_create_topics() {
    let check = |version, body: &[u8]| {
        let requests = [request(METADATA, version, 7, body)];
        check(&requests, &[], &[]).map(|(up, _, _)| up)
    };
    let edited = |version, body: &[u8]| Ok(request(METADATA, version, 7, body));
    for version in 4..=7 {
        assert_eq!(check(version, b"topic\x01"), edited(version, b"topic\0"));
    }
    assert_eq!(check(3, b"topic\x01"), edited(3, b"topic\x01"));
}

#[test]
fn responses_are_matched_to_requests_in_order() {
    let requests = [
        request(FETCH, 4, 1, b""),
        request(PRODUCE, 7, 2, b"records"),
        request(FETCH, 4, 3, b""),
    ];
    let time = b"\0\0\0\x01";
    let responses = [1, 2, 3].map(|id| response(id, time));
    let expected = [response(1, time), response(2, &[0; 4]), response(3, time)];
    let (_, down, _) = check(&requests, &responses, &[]).unwrap();
    assert_eq!(down, expected.concat());
}

#[test]
fn a_response_without_its_request_is_an_error() {
    let requests = [request(FETCH, 4, 1, b"")];
    let error = |found, expected| Err(FrameError::CorrelationId { found, expected });
    assert_eq!(
        check(&requests, &[response(2, b"")], &[]),
        error(2, Some(1))
    );
    assert_eq!(check(&[], &[response(1, b"")], &[]), error(1, None));
}

#[test]
fn a_request_with_an_invalid_length_is_an_error() {
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
fn a_response_with_an_invalid_length_is_an_error() {
    let requests = [request(FETCH, 4, 1, b"")];
    let too_long = i32::try_from(FRAME_BYTES_MAX).unwrap() + 1;
    for length in [-1, i32::MIN, 0, 3, too_long] {
        let response = [&length.to_be_bytes(), [0; 4].as_slice()].concat();
        let error = Err(FrameError::Length(length));
        assert_eq!(check(&requests, &[response], &[]), error);
    }
}

#[test]
fn frames_too_short_for_the_edited_field_are_unchanged() {
    for api in [PRODUCE, METADATA, API_VERSIONS] {
        for body in [b"".as_slice(), b"\0", b"\0\0\0"] {
            let requests = [request(api, 4, 1, b"")];
            let responses = [response(1, body)];
            let (up, down, throttled) = check(&requests, &responses, &[]).unwrap();
            assert_eq!(
                (up, down, throttled),
                (requests.concat(), responses.concat(), false)
            );
        }
    }
}

#[test]
fn at_most_256_requests_are_in_flight() {
    let requests = |count| (0..count).map(|id| request(FETCH, 4, id, b"")).collect();
    let check = |requests: Vec<_>| check(&requests, &[], &[]).map(|_| ());
    assert_eq!(check(requests(256)), Ok(()));
    assert_eq!(check(requests(257)), Err(FrameError::TooManyRequests(256)));
}

proptest! {
    #[test]
    fn the_sizes_of_the_pieces_make_no_difference(
        exchanges in vec((0..4_i16, 4..=7_i16, vec(any::<u8>(), 0..40), vec(any::<u8>(), 4..40)), 0..20),
        pieces in vec(1..20_usize, 0..5),
    ) {
        let (requests, responses): (Vec<_>, Vec<_>) = (0..)
            .zip(&exchanges)
            .map(|(id, (api, version, sent, received))| {
                (request(*api, *version, id, sent), response(id, received))
            })
            .unzip();
        let whole = check(&requests, &responses, &[]);
        prop_assert!(whole.is_ok());
        prop_assert_eq!(whole, check(&requests, &responses, &pieces));
    }
}
