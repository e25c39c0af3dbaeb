use super::{Written, of, read};

/// What a text means: its networks, or `text`, or what is wrong with it.
fn meaning(text: &str) -> String {
    match read(text) {
        Written::Text => "text".to_owned(),
        Written::Wrong(why) => format!("wrong: {why}"),
        Written::Network(_) | Written::Range(..) => {
            let networks: Vec<String> = of(text).map(|network| network.to_string()).collect();
            networks.join(" ")
        }
    }
}

#[test]
fn reads_what_is_meant() {
    let check = |text: &str, expected: &str| assert_eq!(meaning(text), expected, "{text}");
    check("10.1.2.3", "10.1.2.3/32");
    check("::ffff:10.1.2.3", "10.1.2.3/32");
    check("2001:DB8::1", "2001:db8::1/128");
    check("10.9.9.9/8", "10.0.0.0/8");
    check("10.0.0.0 / 8", "10.0.0.0/8");
    check("0.0.0.0/0", "0.0.0.0/0");
    check("::/0", "::/0");
    check("::ffff:192.0.2.0/120", "192.0.2.0/24");
    check("198.51.100.7/255.255.255.0", "198.51.100.0/24");
    check("198.51.100.0 255.255.255.128", "198.51.100.0/25");
    check("2001:db8::/ffff:ffff::", "2001:db8::/32");
    check("203.0.113.*", "203.0.113.0/24");
    check("10.*", "10.0.0.0/8");
    check("10.1.*.*", "10.1.0.0/16");
    check("2001:db8:*", "2001:db8::/32");
    check("192.0.2.0-192.0.2.127", "192.0.2.0/25");
    check("192.0.2.1 - 192.0.2.3", "192.0.2.1/32 192.0.2.2/31");
    check("192.0.2.6-9", "192.0.2.6/31 192.0.2.8/31");
    check("0.0.0.0-255.255.255.255", "0.0.0.0/0");
    check("2001:db8::-2001:db8::ffff", "2001:db8::/112");
    check("::ffff:192.0.2.0-192.0.2.1", "192.0.2.0/31");
    let most = of("::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe");
    assert_eq!(most.count(), 254);
}

#[test]
fn refuses_what_looks_like_one_and_is_none() {
    let check = |text: &str, expected: &str| {
        let found = meaning(text);
        assert!(
            found.starts_with("wrong: ") && found.contains(expected),
            "{text}: {found}"
        );
    };
    check("10.0.0.0/33", "from 0 to 32");
    check("2001:db8::/129", "from 0 to 128");
    check("10.0.0.0/", "no length");
    check("10.0.0.0/+8", "no length");
    check("10.0.0.0/8/9", "no length");
    check("300.1.1.1", "at most 255");
    check("300.1.1.1/24", "`300.1.1.1` is not an address");
    check("010.0.0.1", "not an address");
    check("10.0.0/24", "all four parts");
    check("198.51.100.0/255.0.255.0", "no netmask");
    check("198.51.100.0/0.0.0.255", "no netmask");
    check("192.0.2.9-192.0.2.1", "comes after");
    check("192.0.2.9-1", "no end of a range");
    check("192.0.2.9-300", "no end of a range");
    check("192.0.2.1-2001:db8::", "different kinds");
    check("192.0.2.1-192.0.2.256", "`192.0.2.256` is not an address");
    for pattern in [
        "arkei/*",
        "*",
        "*.contoso.com",
        "10.*.5.1",
        "10.1.2.3.*",
        "2001:*::1",
    ] {
        check(pattern, "`*`");
    }
}

#[test]
fn leaves_all_else_alone() {
    for text in [
        "",
        "alice",
        "alice@contoso.com",
        "and/or",
        "MICROSOFT.COMPUTE/VIRTUALMACHINES/WRITE",
        "0d1e2f3a-0000-1111-2222-333344445555",
        "2026-01-01",
        "10:00:00-11:00:00",
        "00:11:22:33:44:55",
        "10.0.19041.1234",
        "1.2.3",
        "16.0.1",
        "srv-10.0.0.1",
        "10.0.0.1-prod",
        "Mozilla/5.0 (Windows NT 10.0; Win64)",
        "T1059.006",
        "10/8",
        "-",
        "/",
        "a b",
        "::",
        "C:\\Windows",
        "\\\\server\\share",
        "https://x.example/?a=b",
    ] {
        let found = meaning(text);
        assert!(found == "text" || text == "::", "{text}: {found}");
    }
}
