//! Networks as people write them, in lists and in `cidr`.
//!
//! `10.0.0.0/8`, `198.51.100.0/255.255.255.0`, `203.0.113.*`, `192.0.2.1-192.0.2.9`,
//! `192.0.2.1-9`, and the like of IPv6. IPv4 within IPv6 is IPv4, as it is in events.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, IpSubnets, Ipv4Subnets, Ipv6Subnets};

use super::nearest::shown;

/// What a text means, if it is about networks.
#[derive(Clone, Debug, PartialEq)]
pub enum Written {
    /// An address or a network.
    Network(IpNet),
    /// All addresses from the first to the last.
    Range(IpAddr, IpAddr),
    /// It looks like one, and is none: says why.
    Wrong(String),
    /// Anything else.
    Text,
}

/// The address that `text` spells; IPv4 within IPv6 as IPv4.
pub fn address(text: &str) -> Option<IpAddr> {
    text.parse()
        .ok()
        .map(|address: IpAddr| address.to_canonical())
}

/// What `text`, without blanks around it, means.
pub fn read(text: &str) -> Written {
    if let Some(address) = address(text) {
        return Written::Network(address.into());
    }
    let of_parts = |read: fn(&str, &str) -> Written, separator: [char; 1]| {
        let (left, right) = text.split_once(separator)?;
        let read = read(left.trim_end(), right.trim_start());
        Some(read).filter(|read| *read != Written::Text)
    };
    of_parts(with_length, ['/'])
        .or_else(|| of_parts(range, ['-']))
        .or_else(|| of_parts(with_mask, [' ']))
        .unwrap_or_else(|| wildcards(text))
}

/// The networks that a text means, the least number of them.
pub fn of(text: &str) -> Networks {
    match read(text.trim()) {
        Written::Network(network) => Networks::One(Some(network.trunc())),
        Written::Range(first, last) => Networks::Several(subnets(first, last)),
        Written::Wrong(_) | Written::Text => Networks::One(None),
    }
}

/// What is wrong with a text that an address attribute is compared with, and that would equal none.
pub fn not_an_address(text: &str) -> Option<String> {
    match read(text) {
        Written::Text => None,
        Written::Network(_) => Some(format!("\"{text}\" is a network: write cidr(\"{text}\")")),
        Written::Range(first, last) => Some(format!(
            "\"{text}\" is a range: write BETWEEN (\"{first}\", \"{last}\")"
        )),
        Written::Wrong(why) => Some(format!("\"{}\" equals no address: {why}", shown(text))),
    }
}

/// Some networks, one by one.
pub enum Networks {
    /// One, or none.
    One(Option<IpNet>),
    /// Those that a range is made of.
    Several(IpSubnets),
}

impl Iterator for Networks {
    type Item = IpNet;

    fn next(&mut self) -> Option<IpNet> {
        match self {
            Networks::One(network) => network.take(),
            Networks::Several(networks) => networks.next(),
        }
    }
}

fn subnets(first: IpAddr, last: IpAddr) -> IpSubnets {
    match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => IpSubnets::V4(Ipv4Subnets::new(first, last, 0)),
        (first, last) => {
            let v6 = |address: IpAddr| match address {
                IpAddr::V4(address) => address.to_ipv6_mapped(),
                IpAddr::V6(address) => address,
            };
            IpSubnets::V6(Ipv6Subnets::new(v6(first), v6(last), 0))
        }
    }
}

/// `10.0.0.0/8` and `10.0.0.0/255.0.0.0`.
fn with_length(left: &str, right: &str) -> Written {
    if !(is_like_address(left) || is_part_of_v4(left)) {
        return Written::Text;
    }
    let Ok(address) = left.parse::<IpAddr>() else {
        // Colons and numbers are also in times and in addresses of network cards.
        let is_network = is_like_v4(left) || is_like_address(left) && is_number(right);
        let short = is_part_of_v4(left) && right.parse::<u8>().is_ok_and(|length| length <= 32);
        return if is_network {
            Written::Wrong(format!("`{left}` is not an address"))
        } else if short {
            Written::Wrong(format!(
                "`{left}` is not a whole address: write all four parts"
            ))
        } else {
            Written::Text
        };
    };
    if right.contains(['.', ':']) {
        return with_mask(left, right);
    }
    let length = right.parse::<u8>().ok().filter(|_| is_number(right));
    let network = length.and_then(|length| IpNet::new(address, length).ok());
    let most = if address.is_ipv4() { 32 } else { 128 };
    network.map_or_else(
        || {
            Written::Wrong(format!(
                "`/{}` is no length of a network's prefix: it is from 0 to {most}",
                shown(right)
            ))
        },
        |network| Written::Network(canonical(network)),
    )
}

/// A network of IPv4 within IPv6 as one of IPv4.
fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else {
        return network;
    };
    let within = v6.addr().to_ipv4_mapped();
    let length = v6.prefix_len().checked_sub(96);
    within
        .zip(length)
        .and_then(|(address, length)| IpNet::new(address.into(), length).ok())
        .unwrap_or(network)
}

/// `10.0.0.0/255.0.0.0` and `10.0.0.0 255.0.0.0`.
fn with_mask(left: &str, right: &str) -> Written {
    let Ok(address) = left.parse::<IpAddr>() else {
        return Written::Text;
    };
    if !is_like_address(right) {
        return Written::Text;
    }
    let network = right
        .parse::<IpAddr>()
        .ok()
        .and_then(|mask| IpNet::with_netmask(address, mask).ok());
    network.map_or_else(
        || Written::Wrong(format!("`{right}` is no netmask")),
        |network| Written::Network(canonical(network)),
    )
}

/// `192.0.2.1-192.0.2.9` and `192.0.2.1-9`.
fn range(left: &str, right: &str) -> Written {
    let wrong = |why: String| Written::Wrong(why);
    let (first, last) = (address(left), address(right));
    match (first, last) {
        (Some(first), Some(last)) if first.is_ipv4() != last.is_ipv4() => {
            wrong(format!("`{left}` and `{right}` are of different kinds"))
        }
        (Some(first), Some(last)) if first > last => {
            wrong(format!("`{left}` comes after `{right}`"))
        }
        (Some(first), Some(last)) => Written::Range(first, last),
        (Some(IpAddr::V4(first)), None) if is_number(right) => {
            let [a, b, c, least] = first.octets();
            match right.parse::<u8>() {
                Ok(most) if least <= most => {
                    Written::Range(first.into(), Ipv4Addr::new(a, b, c, most).into())
                }
                Ok(_) | Err(_) => wrong(format!("`{right}` is no end of a range from `{left}`")),
            }
        }
        (None, Some(_)) if is_like_address(left) => wrong(format!("`{left}` is not an address")),
        (Some(_), None) if is_like_address(right) => wrong(format!("`{right}` is not an address")),
        (None, None) if is_like_v4(left) && is_like_v4(right) => {
            wrong(format!("`{left}` is not an address"))
        }
        (Some(_) | None, Some(_) | None) => Written::Text,
    }
}

/// `203.0.113.*`, `10.*` and `2001:db8:*`; an address with an impossible part.
fn wildcards(text: &str) -> Written {
    if !text.contains('*') {
        return if is_like_v4(text) {
            Written::Wrong(format!(
                "`{text}` is not an address: each part is at most 255"
            ))
        } else {
            Written::Text
        };
    }
    v4_wildcard(text).or_else(|| v6_wildcard(text)).map_or_else(
        || Written::Wrong("a `*` stands for any text only at the end of an address".to_owned()),
        Written::Network,
    )
}

fn v4_wildcard(text: &str) -> Option<IpNet> {
    let fixed: Vec<&str> = text.split('.').take_while(|part| *part != "*").collect();
    let stars = text.split('.').skip(fixed.len());
    let count = stars.clone().count();
    let is_whole = fixed.len() + count == 4 || count == 1;
    if fixed.is_empty() || fixed.len() > 3 || !is_whole || !stars.into_iter().all(|s| s == "*") {
        return None;
    }
    let all: Vec<&str> = fixed.iter().copied().chain(["0"; 4]).take(4).collect();
    let address: IpAddr = all.join(".").parse().ok()?;
    IpNet::new(address, u8::try_from(8 * fixed.len()).ok()?).ok()
}

/// Whole groups before the star.
fn v6_wildcard(text: &str) -> Option<IpNet> {
    let groups = text.strip_suffix(":*")?;
    let count = groups.split(':').count();
    if count > 7 || groups.contains("::") {
        return None;
    }
    let address: Ipv6Addr = format!("{groups}::").parse().ok()?;
    IpNet::new(address.into(), u8::try_from(16 * count).ok()?).ok()
}

fn is_number(text: &str) -> bool {
    (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Four numbers of at most three digits.
fn is_like_v4(text: &str) -> bool {
    text.split('.').count() == 4 && text.split('.').all(is_number)
}

/// Two or three numbers of at most three digits.
fn is_part_of_v4(text: &str) -> bool {
    (2..=3).contains(&text.split('.').count()) && text.split('.').all(is_number)
}

fn is_like_address(text: &str) -> bool {
    let of_v6 = |c: char| c.is_ascii_hexdigit() || matches!(c, ':' | '.');
    is_like_v4(text) || text.matches(':').count() >= 2 && text.chars().all(of_v6)
}

#[cfg(test)]
#[path = "networks_tests.rs"]
mod tests;
