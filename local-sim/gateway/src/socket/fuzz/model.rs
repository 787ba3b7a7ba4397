//! A simple model of how a connection handles a client's bytes.
//!
//! It was written from RFC 6455 and API Gateway's limits, independently of the gateway.

use crate::limits::{FRAME_BYTES_MAX, MESSAGE_BYTES_MAX};

/// The expected outcome for a client's bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    /// The number of accepted messages.
    pub(crate) texts: usize,
    /// The close code; `None` if the connection stays open.
    pub(crate) end: Option<u16>,
}

pub(crate) fn expected(bytes: &[u8]) -> Expected {
    let mut model = Model::default();
    let mut rest = bytes;
    let end = loop {
        match Frame::read(&mut rest) {
            Ok(Some(frame)) => {
                if let Err(code) = model.take(&frame) {
                    break Some(code);
                }
            }
            Ok(None) => break None,
            Err(code) => break Some(code),
        }
    };
    Expected {
        texts: model.texts,
        end,
    }
}

struct Frame<'a> {
    is_last: bool,
    opcode: u8,
    mask: [u8; 4],
    payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Removes a frame from the front of `bytes`; `Ok(None)` if it is incomplete.
    fn read(bytes: &mut &'a [u8]) -> Result<Option<Self>, u16> {
        let mut rest = *bytes;
        let Some([first, second]) = take(&mut rest) else {
            return Ok(None);
        };
        let length = match second & 0x7f {
            126 => take(&mut rest).map(|length| u16::from_be_bytes(length).into()),
            127 => take(&mut rest).map(u64::from_be_bytes),
            short => Some(short.into()),
        };
        let is_masked = second & 0x80 != 0;
        let mask = if is_masked {
            take(&mut rest)
        } else {
            Some([0; 4])
        };
        let (Some(length), Some(mask)) = (length, mask) else {
            return Ok(None);
        };
        if !matches!(first & 0x0f, 0..=2 | 8..=10) {
            return Err(PROTOCOL);
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > FRAME_BYTES_MAX {
            return Err(TOO_BIG);
        }
        let Some((payload, after)) = rest.split_at_checked(length) else {
            return Ok(None);
        };
        if !is_masked || first & 0x70 != 0 {
            return Err(PROTOCOL);
        }
        *bytes = after;
        Ok(Some(Self {
            is_last: first & 0x80 != 0,
            opcode: first & 0x0f,
            mask,
            payload,
        }))
    }

    fn payload(&self) -> Vec<u8> {
        let mask = self.mask.iter().cycle();
        self.payload
            .iter()
            .zip(mask)
            .map(|(byte, mask)| byte ^ mask)
            .collect()
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

#[derive(Default)]
struct Model {
    texts: usize,
    /// The message received so far, and whether it is text.
    message: Option<(bool, Vec<u8>)>,
}

impl Model {
    fn take(&mut self, frame: &Frame<'_>) -> Result<(), u16> {
        let payload = frame.payload();
        match frame.opcode {
            8..=10 if !frame.is_last || payload.len() > 125 => Err(PROTOCOL),
            8 => Err(close_code(&payload)),
            9 | 10 => Ok(()),
            0 => {
                let (is_text, mut message) = self.message.take().ok_or(PROTOCOL)?;
                message.extend(payload);
                self.grow(is_text, message, frame.is_last)
            }
            _ if self.message.is_some() => Err(PROTOCOL),
            opcode => self.grow(opcode == 1, payload, frame.is_last),
        }
    }

    fn grow(&mut self, is_text: bool, message: Vec<u8>, is_whole: bool) -> Result<(), u16> {
        if message.len() > MESSAGE_BYTES_MAX {
            return Err(TOO_BIG);
        }
        let error = std::str::from_utf8(&message).err();
        // The next frame may complete a character.
        if let Some(error) = error
            && is_text
            && (is_whole || error.error_len().is_some())
        {
            return Err(INVALID);
        }
        match (is_whole, is_text) {
            (true, true) => self.texts += 1,
            (true, false) => return Err(UNSUPPORTED),
            (false, _) => self.message = Some((is_text, message)),
        }
        Ok(())
    }
}

/// The code that is recorded for a client's close frame.
fn close_code(payload: &[u8]) -> u16 {
    match payload {
        [] => NO_CODE,
        [_] => PROTOCOL,
        [high, low, reason @ ..] => match u16::from_be_bytes([*high, *low]) {
            _ if std::str::from_utf8(reason).is_err() => INVALID,
            code @ (1000..=1003 | 1007..=1013 | 3000..=4999) => code,
            _ => PROTOCOL,
        },
    }
}

const PROTOCOL: u16 = 1002;
const UNSUPPORTED: u16 = 1003;
const NO_CODE: u16 = 1005;
const INVALID: u16 = 1007;
const TOO_BIG: u16 = 1009;
