//! Messages made to be as much work as they can: for tests, fuzzing and measurements of the
//! decoder.

/// Messages of one kind, of any length.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// What is repeated, one after the other, each for an equal share of the message.
    pub parts: &'static [&'static str],
}

impl Family {
    /// A message of about `bytes` bytes.
    pub fn message(&self, bytes: usize) -> Vec<u8> {
        let share = bytes / self.parts.len().max(1);
        let part = |part: &&str| part.repeat(share / part.len().max(1));
        let parts: String = self.parts.iter().map(part).collect();
        parts.into_bytes()
    }
}

const fn family(parts: &'static [&'static str]) -> Family {
    Family { parts }
}

/// Every kind: brackets that never close, records within records, broken ones in broken ones,
/// quotes and comments without end, and what looks like a record from within a string.
pub const FAMILIES: &[Family] = &[
    family(&["[x\n", "{"]),
    family(&["[\nx\n"]),
    family(&["["]),
    family(&["[", "]"]),
    family(&["[{\"a\":"]),
    family(&["{"]),
    family(&["{", "}"]),
    family(&["{\n"]),
    family(&["{'"]),
    family(&["{x,"]),
    family(&["{x,{}"]),
    family(&["{x\n", "}\n"]),
    family(&["{x\n{\"a\":1},", "}"]),
    family(&["{x\n{'a':1},", "}"]),
    family(&["{x}\n"]),
    family(&["{x},"]),
    family(&["{}x"]),
    family(&["{},"]),
    family(&["{\"a\":"]),
    family(&["{\"a\":", "1", "}"]),
    family(&["{\"a\":\n"]),
    family(&["{'a':\n"]),
    family(&["{'a':\n", "}\n"]),
    family(&["{\"a\":[1,"]),
    family(&["{\"a\":[1,\n"]),
    family(&["{\"a\":[1,\n", "]}\n"]),
    family(&["{\"time\":\"2026-03-01T09:00:00Z\",\"a\":[1,"]),
    family(&["{\"time\":\"2026-03-01T09:00:00Z\",\"a\":[1,\n"]),
    family(&["{\",{\":\":[1,{\",\":[1,"]),
    family(&["{\"a\":\",{\",\"b\":[1,"]),
    family(&["{\"records\":["]),
    family(&["{\"records\":[\n"]),
    family(&["{\"records\":[{},\n"]),
    family(&["{\"records\":[],\n"]),
    family(&["{\"records\":[]x\n"]),
    family(&["{\"records\":"]),
    family(&["{'records':["]),
    family(&["{'records':[\n"]),
    family(&["{'records':[],\n"]),
    family(&["{'a':1,\n'records':[x\n"]),
    family(&["\""]),
    family(&["\"a\n"]),
    family(&["\"{},"]),
    family(&["{\"a\":\"b"]),
    family(&["{\"a\":\"b\n"]),
    family(&["{\"a\":\"b\\"]),
    family(&["'"]),
    family(&["'a\n"]),
    family(&["'{},"]),
    family(&["{'a':'b"]),
    family(&["{'a':'b\n"]),
    family(&["{'a':'b',\n"]),
    family(&["{'a':'b'   ", "'   "]),
    family(&["\\"]),
    family(&["\"\\"]),
    family(&["{\"\\"]),
    family(&["{'\\"]),
    family(&[","]),
    family(&["{,"]),
    family(&["{\"a\":1,,"]),
    family(&["{'a':1,,\n"]),
    family(&["/*"]),
    family(&["{/*"]),
    family(&["{//\n"]),
    family(&["x\n"]),
    family(&["1,"]),
    family(&["1 "]),
    family(&[" "]),
    family(&["{", " "]),
    family(&["x   ", "{   "]),
    family(&["\u{feff}"]),
    family(&["\u{feff}{"]),
    family(&["\u{0}"]),
    family(&["{\"a\":\"\u{1}\"}\n"]),
    family(&["{\"properties\":\"{'a':[[1,],]}\"}\n"]),
    family(&["{\"properties\":\"{'a':{'b':\"}\n"]),
    family(&["{\"properties\":\"[[", "\"}"]),
    family(&["{\"properties\":{\"properties\":\n"]),
];
