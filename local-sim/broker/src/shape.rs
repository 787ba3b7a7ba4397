//! Checks the lengths in a request against the bytes that it has.
//!
//! The decoder allocates as many elements as an array announces before it reads the first one. A
//! wrong length could exhaust memory and abort the process, so every request is checked first.

use bytes::Buf;
use kafka_protocol::messages::ApiKey;
use thiserror::Error;

use self::Field::{Array, Blob, ByTopic, Fixed, Struct, Text};
use super::limits::{ARRAY_LENGTH_MAX, TAGGED_FIELDS_MAX};

/// Why the lengths in a request are invalid.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum ShapeError {
    /// An array has more elements than any valid request needs.
    #[error("array has {0} elements, at most {ARRAY_LENGTH_MAX} are allowed")]
    ArrayLength(usize),
    /// The request ends in the middle of a field.
    #[error("field needs {needed} bytes, but {left} are left")]
    CutShort { needed: usize, left: usize },
    /// A length is below -1, which stands for null.
    #[error("invalid length {0}, must be at least -1")]
    Length(i32),
    /// A structure has more tagged fields than any client sends.
    #[error("structure has {0} tagged fields, at most {TAGGED_FIELDS_MAX} are allowed")]
    TaggedFields(usize),
}

/// Checks a whole request, including its header. The API and version must be supported.
pub(crate) fn check(api: ApiKey, version: i16, request: &[u8]) -> Result<(), ShapeError> {
    walk(api, version, request).map(drop)
}

/// A field and its kind of length. Consecutive fields of fixed size are merged into one.
#[derive(Debug)]
enum Field {
    Array(&'static Self),
    Blob,
    /// An array of topics, each with a name and an array of partitions with these fields.
    ByTopic(&'static [Self]),
    Fixed(usize),
    Struct(&'static [Self]),
    Text,
}

/// Returns the fields of a request's body, from <https://kafka.apache.org/protocol>.
fn body(api: ApiKey, version: i16) -> &'static [Field] {
    match (api, version) {
        (ApiKey::ApiVersions, 3..) => &[Text, Text],
        (ApiKey::CreateTopics, _) => &[
            Array(&Struct(&[
                Text,
                Fixed(6),
                Array(&Struct(&[Fixed(4), Array(&Fixed(4))])),
                Array(&Struct(&[Text, Text])),
            ])),
            Fixed(5),
        ],
        (ApiKey::DeleteGroups, _) | (ApiKey::DescribeGroups, ..3) => &[Array(&Text)],
        (ApiKey::DeleteRecords, _) => &[ByTopic(&[Fixed(12)]), Fixed(4)],
        (ApiKey::DeleteTopics, _) => &[Array(&Text), Fixed(4)],
        (ApiKey::DescribeConfigs, ..3) => {
            &[Array(&Struct(&[Fixed(1), Text, Array(&Text)])), Fixed(1)]
        }
        (ApiKey::DescribeConfigs, _) => {
            &[Array(&Struct(&[Fixed(1), Text, Array(&Text)])), Fixed(2)]
        }
        (ApiKey::DescribeGroups, _) => &[Array(&Text), Fixed(1)],
        (ApiKey::Fetch, ..5) => &[Fixed(17), ByTopic(&[Fixed(16)])],
        (ApiKey::Fetch, ..7) => &[Fixed(17), ByTopic(&[Fixed(24)])],
        (ApiKey::Fetch, ..9) => &[Fixed(25), ByTopic(&[Fixed(24)]), ByTopic(&[Fixed(4)])],
        (ApiKey::Fetch, ..11) => &[Fixed(25), ByTopic(&[Fixed(28)]), ByTopic(&[Fixed(4)])],
        (ApiKey::Fetch, _) => &[Fixed(25), ByTopic(&[Fixed(28)]), ByTopic(&[Fixed(4)]), Text],
        (ApiKey::FindCoordinator, 0) | (ApiKey::SaslHandshake, _) => &[Text],
        (ApiKey::FindCoordinator, _) => &[Text, Fixed(1)],
        (ApiKey::Heartbeat, _) => &[Text, Fixed(4), Text],
        (ApiKey::InitProducerId, ..3) => &[Text, Fixed(4)],
        (ApiKey::InitProducerId, _) => &[Text, Fixed(14)],
        (ApiKey::JoinGroup, 0) => &[Text, Fixed(4), Text, Text, NAMED_BLOBS],
        (ApiKey::JoinGroup, _) => &[Text, Fixed(8), Text, Text, NAMED_BLOBS],
        (ApiKey::LeaveGroup, _) => &[Text, Text],
        (ApiKey::ListOffsets, 1) => &[Fixed(4), ByTopic(&[Fixed(12)])],
        (ApiKey::ListOffsets, ..4) => &[Fixed(5), ByTopic(&[Fixed(12)])],
        (ApiKey::ListOffsets, _) => &[Fixed(5), ByTopic(&[Fixed(16)])],
        (ApiKey::Metadata, ..4) => &[Array(&Struct(&[Text]))],
        (ApiKey::Metadata, ..8) => &[Array(&Struct(&[Text])), Fixed(1)],
        (ApiKey::Metadata, _) => &[Array(&Struct(&[Text])), Fixed(3)],
        (ApiKey::OffsetCommit, ..5) => {
            &[Text, Fixed(4), Text, Fixed(8), ByTopic(&[Fixed(12), Text])]
        }
        (ApiKey::OffsetCommit, 5) => &[Text, Fixed(4), Text, ByTopic(&[Fixed(12), Text])],
        (ApiKey::OffsetCommit, _) => &[Text, Fixed(4), Text, ByTopic(&[Fixed(16), Text])],
        (ApiKey::OffsetFetch, _) => &[Text, ByTopic(&[Fixed(4)])],
        (ApiKey::Produce, _) => &[Text, Fixed(6), ByTopic(&[Fixed(4), Blob])],
        (ApiKey::SyncGroup, _) => &[Text, Fixed(4), Text, NAMED_BLOBS],
        _ => &[],
    }
}

/// The members' metadata for each protocol, or the leader's assignment for each member.
const NAMED_BLOBS: Field = Array(&Struct(&[Text, Blob]));

/// Walks over the request and returns the bytes behind it.
fn walk(api: ApiKey, version: i16, request: &[u8]) -> Result<&[u8], ShapeError> {
    let compact = api.request_header_version(version) >= COMPACT_FROM_HEADER_VERSION;
    let mut walker = Walker {
        rest: request,
        compact: false,
    };
    walker.fields(HEADER)?;
    walker.compact = compact;
    walker.tagged_fields()?;
    walker.structure(body(api, version))?;
    Ok(walker.rest)
}

struct Walker<'a> {
    rest: &'a [u8],
    /// Whether the version is flexible: lengths are varints and structures have tagged fields.
    compact: bool,
}

impl Walker<'_> {
    fn structure(&mut self, fields: &[Field]) -> Result<(), ShapeError> {
        self.fields(fields)?;
        self.tagged_fields()
    }

    fn fields(&mut self, fields: &[Field]) -> Result<(), ShapeError> {
        fields.iter().try_for_each(|field| self.field(field))
    }

    fn field(&mut self, field: &Field) -> Result<(), ShapeError> {
        match field {
            Array(element) => self.array(|walker| walker.field(element)),
            Blob => {
                let length = self.length(size_of::<i32>())?;
                self.skip(length)
            }
            ByTopic(partition) => self.array(|walker| {
                walker.field(&Text)?;
                walker.array(|walker| walker.structure(partition))?;
                walker.tagged_fields()
            }),
            Fixed(bytes) => self.skip(*bytes),
            Struct(fields) => self.structure(fields),
            Text => {
                let length = self.length(size_of::<i16>())?;
                self.skip(length)
            }
        }
    }

    fn array(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<(), ShapeError>,
    ) -> Result<(), ShapeError> {
        let length = self.length(size_of::<i32>())?;
        if length > ARRAY_LENGTH_MAX {
            return Err(ShapeError::ArrayLength(length));
        }
        (0..length).try_for_each(|_| element(self))
    }

    fn tagged_fields(&mut self) -> Result<(), ShapeError> {
        if !self.compact {
            return Ok(());
        }
        let count = self.unsigned_varint()?;
        if count > TAGGED_FIELDS_MAX {
            return Err(ShapeError::TaggedFields(count));
        }
        for _ in 0..count {
            let _tag = self.unsigned_varint()?;
            let size = self.unsigned_varint()?;
            self.skip(size)?;
        }
        Ok(())
    }

    /// Reads a length of `bytes` bytes, or a varint in compact form. Null yields 0.
    fn length(&mut self, bytes: usize) -> Result<usize, ShapeError> {
        if self.compact {
            // Compact lengths are stored plus one; 0 stands for null.
            return Ok(self.unsigned_varint()?.saturating_sub(1));
        }
        self.need(bytes)?;
        let length = if bytes == size_of::<i16>() {
            self.rest.get_i16().into()
        } else {
            self.rest.get_i32()
        };
        match length {
            NULL => Ok(0),
            _ => usize::try_from(length).map_err(|_| ShapeError::Length(length)),
        }
    }

    fn unsigned_varint(&mut self) -> Result<usize, ShapeError> {
        let mut value = 0_u32;
        for shift in (0..u32::BITS).step_by(7) {
            self.need(1)?;
            let byte = self.rest.get_u8();
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        usize::try_from(value).map_err(|_| ShapeError::ArrayLength(usize::MAX))
    }

    fn skip(&mut self, bytes: usize) -> Result<(), ShapeError> {
        self.need(bytes)?;
        self.rest.advance(bytes);
        Ok(())
    }

    fn need(&self, needed: usize) -> Result<(), ShapeError> {
        let left = self.rest.len();
        if needed <= left {
            Ok(())
        } else {
            Err(ShapeError::CutShort { needed, left })
        }
    }
}

/// API key, API version and correlation id, then the client id.
///
/// The length of the client id has two bytes in every header version.
const HEADER: &[Field] = &[Fixed(8), Text];
const COMPACT_FROM_HEADER_VERSION: i16 = 2;
const NULL: i32 = -1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::samples;

    #[test]
    fn every_request_is_walked_to_its_end() {
        for (api, version, request) in samples::all() {
            assert_eq!(
                walk(api, version, &request),
                Ok(&[][..]),
                "{api:?} version {version}"
            );
        }
    }

    #[test]
    fn a_truncated_request_is_rejected() {
        for (api, version, request) in samples::all() {
            for length in 0..request.len() {
                assert!(
                    check(api, version, &request[..length]).is_err(),
                    "{api:?} version {version}, {length} bytes"
                );
            }
        }
    }

    fn array(fixed_length: i32) -> Result<(), ShapeError> {
        let walker = |bytes| Walker {
            rest: bytes,
            compact: false,
        };
        walker(&fixed_length.to_be_bytes()).field(&Array(&Fixed(1)))
    }

    #[test]
    fn invalid_and_excessive_lengths_are_rejected() {
        assert_eq!(array(-1), Ok(()));
        assert_eq!(array(0), Ok(()));
        assert_eq!(array(1), Err(ShapeError::CutShort { needed: 1, left: 0 }));
        assert_eq!(array(10_001), Err(ShapeError::ArrayLength(10_001)));
        assert_eq!(
            array(i32::MAX),
            Err(ShapeError::ArrayLength(i32::MAX as usize))
        );
        assert_eq!(array(-2), Err(ShapeError::Length(-2)));
    }

    #[test]
    fn invalid_and_excessive_compact_lengths_are_rejected() {
        let check = |bytes: &[u8], field: &Field| {
            Walker {
                rest: bytes,
                compact: true,
            }
            .field(field)
        };
        assert_eq!(check(&[0], &Array(&Text)), Ok(()));
        assert_eq!(check(&[1], &Array(&Text)), Ok(()));
        assert_eq!(check(&[2, 3, b'a', b'b'], &Array(&Text)), Ok(()));
        assert_eq!(
            check(&[0xff, 0xff, 0xff, 0xff, 0x0f], &Array(&Text)),
            Err(ShapeError::ArrayLength(0xffff_fffe))
        );
        assert_eq!(
            check(&[0xff, 0xff, 0xff, 0xff, 0x0f], &Text),
            Err(ShapeError::CutShort {
                needed: 0xffff_fffe,
                left: 0
            })
        );
        assert_eq!(check(&[1, 9, 1, 7], &Struct(&[])), Ok(()));
        assert_eq!(
            check(&[17], &Struct(&[])),
            Err(ShapeError::TaggedFields(17))
        );
    }
}
