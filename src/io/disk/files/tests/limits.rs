//! Text that is too large, in other forms, or no text.

use super::*;

#[test]
fn what_is_too_large_is_skipped_and_named() {
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(600_000));
    let shown = format!("{TOO_LARGE}{}", &long[..22]);
    let text = format!("{{\"a\":1}}\n{long}\r\n{{\"a\":2}}\n{long}");
    let expected: &[(u64, &str)] = &[(0, "{\"a\":1}"), (1, &shown), (2, "{\"a\":2}"), (3, &shown)];
    check_within(SMALL, "a.json", text.as_bytes(), expected);
    check_within(SMALL, "a.json.gz", &gzip(text.as_bytes()), expected);
    let text = format!("{long}\n{{\"a\":2}}\n");
    check_within(
        SMALL,
        "a.json",
        text.as_bytes(),
        &[(0, &shown), (1, "{\"a\":2}")],
    );
    check_within(SMALL, "a.json", &[b'x'; 20], &[(0, &"x".repeat(20))]);
    let one_more = format!("{TOO_LARGE}{}", "x".repeat(21));
    check_within(SMALL, "a.json", &[b'x'; 21], &[(0, &one_more)]);
}

#[test]
fn a_document_that_is_too_large_is_skipped_to_its_end() {
    let large = format!("[\n{}\n]", vec!["{\"a\":1}"; 20].join(",\n"));
    let shown = format!("{TOO_LARGE}{}", &large[..22]);
    let text = format!("{large}\n{{\n\"b\":2}}\n{{\"b\":3}}\n");
    check_within(
        SMALL,
        "a.json",
        text.as_bytes(),
        &[(0, &shown), (22, "{\n\"b\":2}"), (24, "{\"b\":3}")],
    );
    // Brackets that are never closed take nothing along that stands on lines of its own.
    let text = format!("{}\n{{\"b\":2}}\n\n{{\"b\":3}}\n{{\"b\":4}}", &large[..150]);
    let (rows, end) = read_within(SMALL, "a.json", text.as_bytes());
    end.unwrap();
    let texts: Vec<&str> = rows.iter().map(|(_, _, text)| text.as_str()).collect();
    assert_eq!(texts, [&*shown, "{\"b\":2}", "{\"b\":3}", "{\"b\":4}"]);
}

#[test]
fn a_broken_first_line_makes_no_document_of_the_others() {
    let lines = [
        "{\"a\":[1,{\"b\":2}",
        "{\"a\":1}",
        "{\"a\":[1,2]}",
        "{\"a\":{",
        "[{}]",
    ];
    let expected: Vec<(u64, &str)> = (0..).zip(lines).collect();
    check("a.json", lines.join("\n").as_bytes(), &expected);
    let blank = lines.join("\r\n\r\n");
    let expected: Vec<(u64, &str)> = (0..).step_by(2).zip(lines).collect();
    check("a.json", blank.as_bytes(), &expected);
    // A document has commas.
    let document = "[\n{\"a\":1},\n{\"a\":2},\n{\"a\":3}\n]";
    check("a.json", document.as_bytes(), &[(0, document)]);
    check(
        "a.json",
        &document.as_bytes()[..25],
        &[(0, &document[..25])],
    );
    let other = "[\n{\"a\":1}\n,{\"a\":2}\n,{\"a\":3}\n]";
    check("a.json", other.as_bytes(), &[(0, other)]);
}

#[test]
fn text_in_utf_16() {
    let text = "{\"a\":\"ü😀\"}\r\n{\"a\":2}\r\n";
    let rows: &[(u64, &str)] = &[(0, "{\"a\":\"ü😀\"}"), (1, "{\"a\":2}")];
    for mark in ["\u{FEFF}", ""] {
        let text = format!("{mark}{text}");
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        check("a.json", &little, rows);
        check("a.json", &big, rows);
        check("a.json.gz", &gzip(&little), rows);
    }
}

#[test]
fn files_of_other_kinds_are_named() {
    let tar = [&b"in.json"[..], &[0; 250], b"ustar\0"].concat();
    let others: [(&[u8], &str); 6] = [
        (b"PAR1\x15\x04", "a Parquet file"),
        (
            b"PK\x03\x04\x14\0",
            "a ZIP archive (as Excel workbooks are, too)",
        ),
        (b"BZh91AY", "packed with bzip2"),
        (b"\xFD7zXZ\0\0", "packed with xz"),
        (b"\xFF\xFE\0\0[\0\0\0", "text in UTF-32"),
        (&tar, "a tar archive"),
    ];
    for (content, kind) in others {
        check_error("a.json", content, 0, &[kind, "which is not read; "]);
        check_error("a.json.gz", &gzip(content), 0, &[kind]);
    }
    // What stands within a text says nothing.
    let text = format!("{{\"a\":\"{}ustar\"}}", "x".repeat(251));
    check("a.json", text.as_bytes(), &[(0, &text)]);
}

#[test]
fn gzip_with_something_behind() {
    let packed = [&gzip(TWO)[..], b"garbage"].concat();
    check_error("a.gz", &packed, 2, &["cannot read"]);
    let document = b"[\n{\"a\":1},\n{\"a\":2}";
    let (rows, end) = read("a.gz", &[&gzip(document)[..], b"garbage"].concat());
    assert!(end.is_err());
    assert_eq!(
        rows,
        [(0, None, String::from_utf8(document.to_vec()).unwrap())]
    );
}

#[test]
fn a_window_of_zstd_has_a_limit() {
    // A frame that wants 2 GiB remembered: magic, descriptor, window, an empty last block.
    let greedy = [0x28, 0xB5, 0x2F, 0xFD, 0, 21 << 3, 1, 0, 0];
    check_error("a.zst", &greedy, 0, &["cannot read", "memory"]);
}
