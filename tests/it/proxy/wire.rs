//! Frames, and the requests and answers in them.

use std::io::{Error, ErrorKind, Read as _, Result, Write as _};
use std::net::TcpStream;

use kafka_protocol::messages::{ApiKey, RequestHeader, RequestKind, ResponseHeader, ResponseKind};
use kafka_protocol::protocol::{Decodable as _, Encodable as _};

/// Longer frames are none.
const FRAME_BYTES_MAX: usize = 128 << 20;

/// The next frame, without its length.
pub fn read_frame(mut from: &TcpStream) -> Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > FRAME_BYTES_MAX {
        return Err(Error::from(ErrorKind::InvalidData));
    }
    let mut frame = vec![0; length];
    from.read_exact(&mut frame)?;
    Ok(frame)
}

pub fn write_frame(mut to: &TcpStream, frame: &[u8]) -> Result<()> {
    let length = i32::try_from(frame.len()).unwrap().to_be_bytes();
    to.write_all(&[&length, frame].concat())
}

/// Whether nothing came in the time that was given.
pub fn is_timeout(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// What the answer in a frame is known by.
pub fn correlation(frame: &[u8]) -> Option<i32> {
    let bytes = frame.first_chunk::<4>()?;
    Some(i32::from_be_bytes(*bytes))
}

/// A request.
pub struct Request {
    pub api: ApiKey,
    pub version: i16,
    /// What its answer is known by.
    pub correlation: i32,
    pub kind: RequestKind,
}

impl Request {
    /// The request in a frame; `None`: it is one that nobody here knows.
    pub fn read(frame: &[u8]) -> Option<Request> {
        let number = |at: usize| {
            let bytes = frame.get(at..at + 2)?;
            Some(i16::from_be_bytes([bytes[0], bytes[1]]))
        };
        let (api, version) = (ApiKey::try_from(number(0)?).ok()?, number(2)?);
        let known = api.valid_versions();
        if !(known.min..=known.max).contains(&version) {
            return None;
        }
        let mut bytes = frame.to_vec().into();
        let header = RequestHeader::decode(&mut bytes, api.request_header_version(version)).ok()?;
        Some(Request {
            api,
            version,
            correlation: header.correlation_id,
            kind: RequestKind::decode(api, &mut bytes, version).ok()?,
        })
    }

    /// Whether the broker answers it.
    pub fn is_answered(&self) -> bool {
        !matches!(&self.kind, RequestKind::Produce(produce) if produce.acks == 0)
    }

    /// Whether its answer may be changed though nothing is to be done to it.
    pub fn is_about_brokers(&self) -> bool {
        matches!(
            self.api,
            ApiKey::ApiVersions | ApiKey::Metadata | ApiKey::FindCoordinator
        )
    }

    /// The answer to it in a frame; `None`: nobody here can read it.
    pub fn answer(&self, frame: &[u8]) -> Option<ResponseKind> {
        let mut bytes = frame.to_vec().into();
        let header = self.api.response_header_version(self.version);
        ResponseHeader::decode(&mut bytes, header).ok()?;
        ResponseKind::decode(self.api, &mut bytes, self.version).ok()
    }

    /// The frame of an answer to it.
    pub fn frame_of(&self, answer: &ResponseKind) -> Vec<u8> {
        let mut bytes = Default::default();
        let header = self.api.response_header_version(self.version);
        ResponseHeader::default()
            .with_correlation_id(self.correlation)
            .encode(&mut bytes, header)
            .unwrap();
        answer.encode(&mut bytes, self.version).unwrap();
        bytes.to_vec()
    }
}
