//! Generates the bytes of a case: frames from a client, often corrupted.

use fastrand::Rng;

use crate::limits::{FRAME_BYTES_MAX, MESSAGE_BYTES_MAX};

/// The maximum number of steps in a case. Each step is a message or a frame.
const STEPS_MAX: usize = 6;
/// The maximum number of corrupted bytes.
const FAULTS_MAX: usize = 4;

pub(crate) fn bytes(rng: &mut Rng) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..rng.usize(1..=STEPS_MAX) {
        step(rng, &mut bytes);
    }
    if rng.bool() {
        for _ in 0..rng.usize(1..=FAULTS_MAX) {
            corrupt(rng, &mut bytes);
        }
    }
    bytes
}

fn step(rng: &mut Rng, bytes: &mut Vec<u8>) {
    match rng.u8(..32) {
        0..12 => {
            let text = text(rng);
            frame(rng, bytes, 0x81, text.as_bytes());
        }
        12..18 => fragments(rng, bytes),
        18..22 => {
            let ping = if rng.bool() { 0x89 } else { 0x8a };
            let payload = vec![b'p'; rng.usize(..=126)];
            frame(rng, bytes, ping, &payload);
        }
        22 => frame(rng, bytes, 0x82, b"\x00\xff"),
        23 => {
            let code = rng.choice([
                0, 999, 1000, 1001, 1004, 1005, 1011, 1015, 2999, 3000, 4999, 5000,
            ]);
            let code: u16 = code.unwrap_or_default();
            frame(
                rng,
                bytes,
                0x88,
                &[&code.to_be_bytes()[..], b"bye"].concat(),
            );
        }
        24 => frame(rng, bytes, 0x88, b""),
        25 => {
            let size = FRAME_BYTES_MAX + rng.usize(..2);
            frame(rng, bytes, 0x81, &vec![b'x'; size]);
        }
        26 => long_message(rng, bytes),
        27 => frame(rng, bytes, 0x81, b"\xc3\x28"),
        28 => {
            let first = rng.u8(..);
            frame(rng, bytes, first, b"any");
        }
        29 => bytes.extend(std::iter::repeat_with(|| rng.u8(..)).take(20)),
        // A payload length that is far too large, without the payload.
        30 => bytes.extend([&[0x81, 0xff][..], &rng.u64(..).to_be_bytes(), &[0; 4]].concat()),
        // An unmasked frame.
        _ => bytes.extend(b"\x81\x02hi"),
    }
}

fn text(rng: &mut Rng) -> String {
    let pieces = [
        "hello",
        r#"{"action":"chat"}"#,
        "ž馬🐎",
        "",
        "\0",
        r#"{"action":{}}"#,
    ];
    let count = rng.usize(1..4);
    (0..count).filter_map(|_| rng.choice(pieces)).collect()
}

/// A text message in fragments, which may split characters, with pings between them.
fn fragments(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let text = text(rng);
    let mut rest = text.as_bytes();
    let mut opcode = 0x01;
    loop {
        let (piece, after) = rest.split_at(rng.usize(..=rest.len()));
        let is_last = after.is_empty() && rng.u8(..8) > 0;
        frame(
            rng,
            bytes,
            if is_last { opcode | 0x80 } else { opcode },
            piece,
        );
        if after.is_empty() {
            return;
        }
        if rng.bool() {
            frame(rng, bytes, 0x89, b"");
        }
        (rest, opcode) = (after, 0x00);
    }
}

/// A message of the maximum size in frames of the maximum size, or with one byte more.
fn long_message(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let frames = MESSAGE_BYTES_MAX / FRAME_BYTES_MAX;
    for index in 0..frames {
        let opcode = if index == 0 { 0x01 } else { 0x00 };
        frame(rng, bytes, opcode, &vec![b'x'; FRAME_BYTES_MAX]);
    }
    let more = rng.usize(..2);
    frame(rng, bytes, 0x80, &vec![b'x'; more]);
}

fn frame(rng: &mut Rng, bytes: &mut Vec<u8>, first: u8, payload: &[u8]) {
    bytes.push(first);
    match u16::try_from(payload.len()) {
        Ok(length @ ..126) => bytes.push(0x80 | length.to_be_bytes()[1]),
        Ok(length) => {
            bytes.push(0x80 | 126);
            bytes.extend(length.to_be_bytes());
        }
        Err(_) => {
            bytes.push(0x80 | 127);
            bytes.extend((payload.len() as u64).to_be_bytes());
        }
    }
    let mask = rng.u32(..).to_be_bytes();
    bytes.extend(mask);
    bytes.extend(
        payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
}

fn corrupt(rng: &mut Rng, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    let at = rng.usize(..bytes.len());
    match rng.u8(..4) {
        0 => bytes[at] ^= 1 << rng.u8(..8),
        1 => bytes.truncate(at),
        2 => bytes.insert(at, rng.u8(..)),
        _ => {
            bytes.remove(at);
        }
    }
}
