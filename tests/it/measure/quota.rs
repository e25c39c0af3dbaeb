//! Limits how many bytes a second brokers take of a client: Kafka's request AlterClientQuotas,
//! version 0, which the client library does not have.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

const ALTER_CLIENT_QUOTAS: i16 = 49;

/// Sets what producers with this client id may send; `None`: as much as they like.
pub fn limit_producers(bootstrap: &str, client_id: &str, bytes_a_second: Option<f64>) {
    let mut stream = TcpStream::connect(bootstrap).unwrap();
    let request = request(client_id, bytes_a_second);
    let size = u32::try_from(request.len()).unwrap();
    stream.write_all(&size.to_be_bytes()).unwrap();
    stream.write_all(&request).unwrap();
    let mut size = [0; 4];
    stream.read_exact(&mut size).unwrap();
    let mut answer = vec![0; u32::from_be_bytes(size) as usize];
    stream.read_exact(&mut answer).unwrap();
    // Correlation id, throttle time and the number of entries, then the only entry's error.
    assert_eq!(answer[12..14], [0, 0], "no quota: {answer:?}");
}

fn request(client_id: &str, bytes_a_second: Option<f64>) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(ALTER_CLIENT_QUOTAS.to_be_bytes());
    // Version and correlation id.
    bytes.extend([0, 0, 0, 0, 0, 1]);
    string(&mut bytes, "measure");
    let one = 1_u32.to_be_bytes();
    // One entry: one entity, one change of it.
    bytes.extend(one);
    bytes.extend(one);
    string(&mut bytes, "client-id");
    string(&mut bytes, client_id);
    bytes.extend(one);
    string(&mut bytes, "producer_byte_rate");
    bytes.extend(bytes_a_second.unwrap_or(0.0).to_be_bytes());
    bytes.push(u8::from(bytes_a_second.is_none()));
    // Not only to be tried.
    bytes.push(0);
    bytes
}

fn string(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
    bytes.extend(text.as_bytes());
}
