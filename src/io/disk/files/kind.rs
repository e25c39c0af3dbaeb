//! What a file is, by its first bytes.

use super::utf16::Order;

/// What a file is, or what was packed in it.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Packed.
    Gzip,
    /// Packed.
    Zstd,
    /// An Avro object container.
    Avro,
    /// Text in UTF-8, or what is taken for it.
    Text,
    /// Text in UTF-16, as PowerShell writes it.
    Utf16(Order),
    /// Something that is not read.
    Foreign(&'static Foreign),
}

/// A kind of file that people have by mistake, or for another program.
#[derive(Debug)]
pub struct Foreign {
    /// With an article.
    pub name: &'static str,
    /// What to do with it instead.
    pub hint: &'static str,
    place: usize,
    magic: &'static [u8],
}

const UNPACK: &str = "unpack it, or pack it with gzip or zstd";

/// JSON begins with none of these.
const FOREIGN: &[Foreign] = &[
    foreign(
        "a Parquet file",
        "write its rows as JSON lines, or have Event Hubs Capture write Avro",
        b"PAR1",
    ),
    foreign(
        "an encrypted Parquet file",
        "write its rows as JSON lines",
        b"PARE",
    ),
    foreign("an ORC file", "write its rows as JSON lines", b"ORC"),
    foreign(
        "a ZIP archive (as Excel workbooks are, too)",
        "unpack it, or export JSON lines",
        b"PK\x03\x04",
    ),
    foreign(
        "an empty ZIP archive",
        "there is nothing in it",
        b"PK\x05\x06",
    ),
    foreign("packed with bzip2", UNPACK, b"BZh"),
    foreign("packed with xz", UNPACK, b"\xFD7zXZ\0"),
    foreign("packed with lz4", UNPACK, b"\x04\x22\x4D\x18"),
    foreign("packed with compress", UNPACK, b"\x1F\x9D"),
    foreign("a 7-Zip archive", UNPACK, b"7z\xBC\xAF\x27\x1C"),
    foreign(
        "an old Excel or Office file",
        "export JSON lines",
        b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1",
    ),
    foreign(
        "a Windows event log",
        "export its events as JSON",
        b"ElfFile\0",
    ),
    foreign(
        "an SQLite database",
        "export JSON lines",
        b"SQLite format 3\0",
    ),
    foreign("a PDF", "export JSON lines", b"%PDF-"),
    foreign("a program", "there are no events in it", b"\x7FELF"),
    foreign("text in UTF-32", "save it as UTF-8", b"\xFF\xFE\0\0"),
    foreign("text in UTF-32", "save it as UTF-8", b"\0\0\xFE\xFF"),
    Foreign {
        place: 257,
        ..foreign("a tar archive", "unpack it", b"ustar")
    },
];

const fn foreign(name: &'static str, hint: &'static str, magic: &'static [u8]) -> Foreign {
    Foreign {
        name,
        hint,
        place: 0,
        magic,
    }
}

impl Foreign {
    fn is_at(&self, head: &[u8]) -> bool {
        let (before, from) = head.split_at(self.place.min(head.len()));
        // What stands within a text, anybody may have written; text has no NUL.
        from.starts_with(self.magic) && (before.is_empty() || before.contains(&0))
    }
}

impl Kind {
    /// So many bytes tell.
    pub const HEAD_BYTES: u64 = 512;

    /// The kind of what begins so.
    pub fn of(head: &[u8]) -> Kind {
        if let Some(foreign) = FOREIGN.iter().find(|foreign| foreign.is_at(head)) {
            return Kind::Foreign(foreign);
        }
        match head {
            [0x1F, 0x8B, ..] => Kind::Gzip,
            // A frame, or one of those to be skipped, which some packers begin with.
            [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Kind::Zstd,
            [b'O', b'b', b'j', 1, ..] => Kind::Avro,
            [0xFF, 0xFE, ..] => Kind::Utf16(Order::LittleEndian),
            [0xFE, 0xFF, ..] => Kind::Utf16(Order::BigEndian),
            // JSON begins with two characters of ASCII, and never has a NUL: without a byte order
            // mark the NULs tell.
            [1..=0x7F, 0, 1..=0x7F, 0, ..] => Kind::Utf16(Order::LittleEndian),
            [0, 1..=0x7F, 0, 1..=0x7F, ..] => Kind::Utf16(Order::BigEndian),
            _ => Kind::Text,
        }
    }
}
