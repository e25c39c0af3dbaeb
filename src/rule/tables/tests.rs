use std::net::IpAddr;
use std::ops::Range;

use proptest::prelude::*;

use super::{TableFile, Tables};
use crate::event::{Attribute, Attributes, Event, Value};
use crate::rule::attribute::Names;
use crate::rule::lists::Lists;
use crate::rule::scope::Scope;
use crate::rule::{Filter, Rule, parse_all, parse_with};

/// A table of networks called `asn`.
pub(crate) fn asn() -> Tables {
    tables(&[csv(
        "asn.csv",
        "network,asn,organization,country\n198.51.100.0/24,64500,Example Hosting,DE\n\
         198.51.100.128/25,64501,Example Access,FR\n2001:db8::/32,64502,\"Example, Six\",\n",
    )])
}

fn csv(path: &str, text: &str) -> TableFile {
    TableFile::of(path, text.as_bytes().to_vec())
}

fn tables(files: &[TableFile]) -> Tables {
    let (tables, errors) = Tables::of(files);
    assert_eq!(errors, []);
    tables
}

/// What a table says of an address in a column, as text.
fn said(tables: &Tables, table: &str, column: &str, address: &str) -> String {
    let (asked, _) = tables.ask(table, column).unwrap();
    let value = asked.of(address.parse().unwrap());
    value.map_or_else(|| "nothing".to_owned(), |value| format!("{value:?}"))
}

#[test]
fn the_closest_network_counts() {
    let tables = asn();
    let check = |address: &str, expected: &str| {
        assert_eq!(said(&tables, "asn", "asn", address), expected, "{address}");
    };
    check("198.51.100.0", "Text(\"64500\")");
    check("198.51.100.127", "Text(\"64500\")");
    check("198.51.100.128", "Text(\"64501\")");
    check("198.51.100.255", "Text(\"64501\")");
    check("198.51.101.0", "nothing");
    check("198.51.99.255", "nothing");
    check("0.0.0.0", "nothing");
    check("255.255.255.255", "nothing");
    check("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "Text(\"64502\")");
    check("2001:db9::", "nothing");
    assert_eq!(
        said(&tables, "asn", "ORGANIZATION", "2001:db8::"),
        "Text(\"Example, Six\")"
    );
}

#[test]
fn rows_may_be_ranges_addresses_and_empty() {
    let tables = tables(&[csv(
        "t.csv",
        "\u{feff}net,name\n0.0.0.0/0,all\n::/0,six\n192.0.2.1-192.0.2.9,range\n192.0.2.4,one\n\
         203.0.113.*,\n::ffff:198.51.100.0/120,four\n255.255.255.255,last\n",
    )]);
    let check = |address: &str, expected: &str| {
        assert_eq!(said(&tables, "t", "name", address), expected, "{address}");
    };
    check("192.0.2.0", "Text(\"all\")");
    check("192.0.2.1", "Text(\"range\")");
    check("192.0.2.4", "Text(\"one\")");
    check("192.0.2.9", "Text(\"range\")");
    check("192.0.2.10", "Text(\"all\")");
    check("203.0.113.7", "nothing");
    check("198.51.100.7", "Text(\"four\")");
    check("255.255.255.254", "Text(\"all\")");
    check("255.255.255.255", "Text(\"last\")");
    check("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "Text(\"six\")");
}

proptest! {
    #[test]
    fn it_agrees_with_a_look_at_every_row(
        rows in prop::collection::btree_set((0_u32..64, 26_u8..=32), 1..20),
        address in 0_u32..80,
    ) {
        let network = |number: u32, length: u8| {
            let address = IpAddr::from((0xc000_0200 + number).to_be_bytes());
            ipnet::IpNet::new(address, length).unwrap().trunc()
        };
        let rows: std::collections::BTreeSet<ipnet::IpNet> =
            rows.into_iter().map(|(number, length)| network(number, length)).collect();
        let lines: Vec<String> = rows.iter().map(|row| format!("{row},{row}\n")).collect();
        let tables = tables(&[csv("t.csv", &format!("net,name\n{}", lines.concat()))]);
        let address = IpAddr::from((0xc000_0200 + address).to_be_bytes());
        let closest = rows.iter().filter(|row| row.contains(&address));
        let closest = closest.max_by_key(|row| row.prefix_len());
        let expected = closest
            .map_or_else(|| "nothing".to_owned(), |row| format!("Text(\"{row}\")"));
        prop_assert_eq!(said(&tables, "t", "name", &address.to_string()), expected);
    }
}

/// Data of a database in MaxMind's format.
enum Data {
    Text(&'static str),
    Small(u16),
    Number(u32),
    Large(u64),
    Float(f64),
    List(Vec<Data>),
    Map(Vec<(&'static str, Data)>),
}

impl Data {
    /// As <https://maxmind.github.io/MaxMind-DB/> has it; nothing is longer than 284 bytes.
    fn write(&self, out: &mut Vec<u8>) {
        let control = |out: &mut Vec<u8>, kind: u8, size: usize| {
            let (low, more) = match size {
                0..29 => (u8::try_from(size).unwrap(), None),
                _ => (29, Some(u8::try_from(size - 29).unwrap())),
            };
            match kind {
                0..=7 => out.push(kind << 5 | low),
                _ => out.extend([low, kind - 7]),
            }
            out.extend(more);
        };
        match self {
            Data::Text(text) => {
                control(out, 2, text.len());
                out.extend(text.bytes());
            }
            Data::Float(number) => {
                control(out, 3, 8);
                out.extend(number.to_be_bytes());
            }
            Data::Small(number) => {
                control(out, 5, 2);
                out.extend(number.to_be_bytes());
            }
            Data::Large(number) => {
                control(out, 9, 8);
                out.extend(number.to_be_bytes());
            }
            Data::Number(number) => {
                control(out, 6, 4);
                out.extend(number.to_be_bytes());
            }
            Data::Map(entries) => {
                control(out, 7, entries.len());
                for (key, value) in entries {
                    Data::Text(key).write(out);
                    value.write(out);
                }
            }
            Data::List(items) => {
                control(out, 11, items.len());
                items.iter().for_each(|item| item.write(out));
            }
        }
    }
}

/// A database of IPv4 networks, each with its data, none within another: its bytes, and where its
/// data is.
fn database(networks: &[(&str, Data)]) -> (Vec<u8>, Range<usize>) {
    /// What a record says.
    #[derive(Clone, Copy)]
    enum Record {
        None,
        Node(usize),
        Data(usize),
    }
    let mut nodes = vec![[Record::None; 2]];
    let mut data = Vec::new();
    for (network, value) in networks {
        let network: ipnet::Ipv4Net = network.parse().unwrap();
        let bits = u32::from(network.network());
        let mut node = 0;
        for depth in 0..network.prefix_len() {
            let side = (bits >> (31 - depth) & 1) as usize;
            let is_last = depth + 1 == network.prefix_len();
            node = match nodes[node][side] {
                _ if is_last => {
                    nodes[node][side] = Record::Data(data.len());
                    break;
                }
                Record::Node(next) => next,
                Record::None | Record::Data(_) => {
                    nodes.push([Record::None; 2]);
                    let next = nodes.len() - 1;
                    nodes[node][side] = Record::Node(next);
                    next
                }
            };
        }
        value.write(&mut data);
    }
    let mut bytes = Vec::new();
    for record in nodes.iter().flatten() {
        let number = match record {
            Record::None => nodes.len(),
            Record::Node(next) => *next,
            Record::Data(at) => nodes.len() + 16 + at,
        };
        bytes.extend(&u32::try_from(number).unwrap().to_be_bytes()[1..]);
    }
    bytes.extend([0; 16]);
    let begin = bytes.len();
    bytes.extend(&data);
    let within = begin..bytes.len();
    bytes.extend(b"\xab\xcd\xefMaxMind.com");
    let metadata = vec![
        (
            "node_count",
            Data::Number(u32::try_from(nodes.len()).unwrap()),
        ),
        ("record_size", Data::Small(24)),
        ("ip_version", Data::Small(4)),
        ("database_type", Data::Text("Test")),
        ("languages", Data::List(vec![Data::Text("en")])),
        ("binary_format_major_version", Data::Small(2)),
        ("binary_format_minor_version", Data::Small(0)),
        ("build_epoch", Data::Large(1_700_000_000)),
        ("description", Data::Map(vec![("en", Data::Text("A test"))])),
    ];
    Data::Map(metadata).write(&mut bytes);
    (bytes, within)
}

fn places() -> (Vec<u8>, Range<usize>) {
    let names = |name: &'static str| Data::Map(vec![("en", Data::Text(name))]);
    database(&[
        (
            "198.51.100.0/25",
            Data::Map(vec![
                ("country", Data::Map(vec![("iso_code", Data::Text("DE"))])),
                ("autonomous_system_number", Data::Number(64_500)),
                (
                    "autonomous_system_organization",
                    Data::Text("Example Hosting"),
                ),
                (
                    "subdivisions",
                    Data::List(vec![
                        Data::Map(vec![("names", names("Bavaria"))]),
                        Data::Map(vec![("names", names("Upper Bavaria"))]),
                    ]),
                ),
                ("latitude", Data::Float(48.5)),
            ]),
        ),
        (
            "203.0.113.0/24",
            Data::Map(vec![(
                "country",
                Data::Map(vec![("iso_code", Data::Text("FR"))]),
            )]),
        ),
    ])
}

#[test]
fn databases_are_read() {
    let tables = tables(&[TableFile::of("dir/geo-1.MMDB", places().0)]);
    let check = |column: &str, address: &str, expected: &str| {
        let found = said(&tables, "geo-1", column, address);
        assert_eq!(found, expected, "{column} of {address}");
    };
    check("country", "198.51.100.7", "Text(\"DE\")");
    check("country.iso_code", "203.0.113.255", "Text(\"FR\")");
    check(
        "organization",
        "198.51.100.127",
        "Text(\"Example Hosting\")",
    );
    check("asn", "198.51.100.0", "Integer(64500)");
    check("asn", "203.0.113.0", "nothing");
    check("latitude", "198.51.100.0", "Float(48.5)");
    check("country", "198.51.100.128", "nothing");
    check("country", "2001:db8::1", "nothing");
    check(
        "subdivisions.names.en",
        "198.51.100.9",
        "Many([Text(\"Bavaria\"), Text(\"Upper Bavaria\")])",
    );
    // A map is no value.
    check("subdivisions.names", "198.51.100.9", "nothing");
    let unknown = tables.ask("geo-1", "city.names.en").unwrap_err();
    assert_eq!(unknown, "the table `geo-1` has no column `city.names.en`");
}

#[test]
fn damaged_files_are_refused() {
    let check = |path: &str, bytes: &[u8], expected: &str| {
        let found = TableFile::of(path, bytes.to_vec()).table.unwrap_err();
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert!(found[0].contains(expected), "{path}: {found:?}");
    };
    let format = "not a sound database in MaxMind's format";
    check("a.mmdb", b"", format);
    check("a.mmdb", b"network,asn\n", format);
    let (bytes, data) = places();
    check("a.mmdb", &bytes[..bytes.len() - 20], format);
    check("a.mmdb", &bytes[data.start..], format);
    // A map that says it has more entries than there are bytes.
    let mut wrong = bytes.clone();
    wrong[data.start] = 0xff;
    check("a.mmdb", &wrong, format);
    // A text that is none.
    let mut wrong = bytes.clone();
    let at = memchr::memmem::find(&bytes, b"Example").unwrap();
    wrong[at] = 0xff;
    check("a.mmdb", &wrong, format);
    // A tree that leads back to its root.
    let mut wrong = bytes.clone();
    wrong[..6].fill(0);
    check("a.mmdb", &wrong, format);
    check("a.csv", b"", "the first line names the columns");
    check(
        "a.csv",
        b"net\n192.0.2.0/24\n",
        "the first line names the columns",
    );
    check(
        "a.csv",
        b"net,\n192.0.2.0/24,x\n",
        "the first line names the columns",
    );
    check("a.csv", b"net,name\n192.0.2.0/33,x\n", "a.csv:2:1");
    check(
        "a.csv",
        b"net,name\nalice,x\n",
        "a.csv:2:1: expected a network such as",
    );
    check(
        "a.csv",
        b"net,name\n192.0.2.0/24\n",
        "a.csv:2:1: expected 2 fields",
    );
    check(
        "a.csv",
        b"net,name\n192.0.2.0/24,\xff\n",
        "a.csv:2:1: not UTF-8",
    );
    check(
        "a.csv",
        b"net,name\n192.0.2.0/24,x\n192.0.2.7,y\n192.0.2.0/24,z\n",
        "a.csv:4:1: this network is already that of line 2",
    );
    check("a b.csv", b"net,name\n", "a table's name has letters");
    let twice = [csv("a/t.csv", "net,name\n"), csv("b/t.csv", "net,name\n")];
    let (_, errors) = Tables::of(&twice);
    assert!(
        errors[0]
            .to_string()
            .contains("the table `t` is already that of a/t.csv")
    );
}

proptest! {
    /// Whatever is done to a file, it is refused or says something.
    #[test]
    fn changed_databases_harm_nobody(at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let (mut bytes, _) = places();
        let at = at.index(bytes.len());
        bytes[at] = to;
        let file = TableFile::of("geo.mmdb", bytes);
        if file.table.is_ok() {
            let tables = tables(&[file]);
            for column in ["country", "asn", "subdivisions.names.en"] {
                for address in ["198.51.100.7", "203.0.113.1", "0.0.0.0"] {
                    if let Ok((asked, _)) = tables.ask("geo", column) {
                        asked.of(address.parse().unwrap());
                    }
                }
            }
        }
    }
}

const RULE: &str = "id: R\nname: n\nseverity: 5\nwindow: 5m\npatterns:\n  - name: P\n    where: \
                    'NetLookup(\"asn\", srcIpAddr, \"asn\") != \"64501\"'\n    group_by: [user, \
                    {org: 'NetLookup(asn, srcIpAddr, organization)'}]\n    having: \
                    COUNT(DISTINCT NetLookup(asn, srcIpAddr, asn)) >= 1\n";

fn read(text: &str, lists: &Lists) -> Result<Vec<Rule>, Vec<String>> {
    let files = [("r".to_owned(), text.to_owned())];
    let rules = parse_all(&files, lists, &mut Attributes::default());
    rules.map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

#[test]
fn rules_name_tables_and_mean_the_same_whatever_these_hold() {
    let meaning = |lists: &Lists| {
        let mut attributes = Attributes::default();
        let rules = parse_with("r", RULE, lists, &mut attributes).unwrap();
        (
            rules[0].meaning(&attributes),
            rules[0].lists.tables().hashes(),
        )
    };
    let with = |text: &str| Lists::default().with_tables(tables(&[csv("asn.csv", text)]));
    let one = with("network,asn,organization\n192.0.2.0/24,1,a\n");
    let other = with("network,asn,organization\n192.0.2.0/24,2,b\n");
    let (first, hashes) = meaning(&one);
    let (second, others) = meaning(&other);
    let (third, none) = meaning(&Lists::default());
    assert_eq!(first, second);
    assert_eq!(first, third);
    assert!(
        first.contains("NetLookup(\"asn\", srcIpAddr, \"organization\")"),
        "{first}"
    );
    assert_ne!(hashes, others);
    assert_eq!((hashes.len(), none.len()), (1, 0));
}

#[test]
fn what_cannot_be_asked_is_said() {
    let lists = Lists::default().with_tables(asn());
    let check = |filter: &str, more: &str, expected: &str| {
        let text = format!(
            "id: R\nname: n\nseverity: 5\nwindow: 5m\npatterns: [{{name: P, where: '{filter}', \
             group_by: [user]}}]\n{more}"
        );
        let found = read(&text, &lists).unwrap_err();
        assert!(found[0].contains(expected), "{filter}: {found:?}");
    };
    check(
        "NetLookup(asm, srcIpAddr, asn) = 1",
        "",
        "no table is called `asm` (tables/asm.mmdb or tables/asm.csv beside the rules, or \
         `tables` in the configuration): did you mean `asn`?",
    );
    check(
        "NetLookup(asn, srcIpAddr, organisation) = 1",
        "",
        "the table `asn` has no column `organisation`: did you mean `organization`?",
    );
    check(
        "NetLookup(asn, srcIpAddr) = 1",
        "",
        "expected `,`, found `)`",
    );
    check(
        "NetLookup(\"asn\", \"192.0.2.1\", asn) = 1",
        "",
        "reads nothing of the event",
    );
    check(
        "user = \"a\"",
        "exceptions: [{where: 'NetLookup(asn, user, asn) = 1'}]",
        "NetLookup stands in patterns",
    );
}

#[test]
fn addresses_are_looked_up_in_filters() {
    let lists = Lists::default().with_tables(asn());
    let mut attributes = Attributes::default();
    attributes.intern(Attribute::Named("srcIpAddr"));
    let filter = Filter::parse_with(
        "NetLookup(\"asn\", srcIpAddr, \"organization\") = \"example hosting\"",
        &mut Names::Event(&mut attributes),
        &mut Scope::of(&lists),
    );
    let filter = filter.unwrap();
    let check = |address: &str, expected: bool| {
        let event = Event {
            values: vec![Some(Value::Text(address.into()))],
            ..Event::default()
        };
        assert_eq!(filter.matches(&event), expected, "{address}");
    };
    check("198.51.100.7", true);
    check("198.51.100.200", false);
    check("::ffff:198.51.100.7", true);
    check("alice", false);
    check("", false);
}
