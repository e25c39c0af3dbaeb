//! One spelling of what can be written in several ways.

use std::net::Ipv6Addr;

/// The usual spelling of an IPv6 address (RFC 5952), and of an IPv4 address within one that
/// address; `None`: the text is no IPv6 address, or is spelled so.
///
/// An IPv4 address has one spelling only.
pub fn address(text: &str) -> Option<String> {
    if !text.contains(':') {
        return None;
    }
    let address: Ipv6Addr = text.parse().ok()?;
    let spelled = match address.to_ipv4_mapped() {
        Some(inner) => inner.to_string(),
        None => address.to_string(),
    };
    (spelled != text).then_some(spelled)
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn addresses_have_one_spelling() {
        let check = |text: &str, expected: &str| {
            assert_eq!(address(text).as_deref().unwrap_or(text), expected);
        };
        check("2001:DB8:0:0:0:0:0:1", "2001:db8::1");
        check("2001:db8::1", "2001:db8::1");
        check("2001:0db8::0:1", "2001:db8::1");
        check("::ffff:192.0.2.1", "192.0.2.1");
        check("::FFFF:c000:201", "192.0.2.1");
        check("192.0.2.1", "192.0.2.1");
        check("a:b", "a:b");
        check("svc:1", "svc:1");
        check("", "");
    }
}
