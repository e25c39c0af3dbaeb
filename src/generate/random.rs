//! A small seeded source of numbers (splitmix64): the same on every machine, for ever.

/// The state of the source.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A source that always gives the same numbers for the same `seed`.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// Any 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 where `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // The high half of a 128-bit product is the bits scaled down to the bound.
        let scaled = (u128::from(self.bits()) * u128::from(bound)) >> 64;
        scaled as u64
    }

    /// A number of milliseconds in `from..to`.
    pub fn millis(&mut self, from: i64, to: i64) -> i64 {
        from + self.below(to.abs_diff(from)).cast_signed()
    }

    /// True `percent` times in a hundred.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of `words`; empty where there are none.
    pub fn word<'w>(&mut self, words: &[&'w str]) -> &'w str {
        self.one(words).copied().unwrap_or_default()
    }

    /// One of `list`.
    pub fn one<'l, T>(&mut self, list: &'l [T]) -> Option<&'l T> {
        let place = self.below(u64::try_from(list.len()).unwrap_or(u64::MAX));
        list.get(usize::try_from(place).unwrap_or(usize::MAX))
    }

    /// 32 hex digits.
    pub fn hex(&mut self) -> String {
        format!("{:016x}{:016x}", self.bits(), self.bits())
    }

    /// A random GUID with dashes.
    pub fn guid(&mut self) -> String {
        let (high, low) = (self.bits(), self.bits());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xFFFF,
            high & 0xFFF,
            low >> 48 & 0x3FFF | 0x8000,
            low & 0xFFFF_FFFF_FFFF
        )
    }

    /// `length` characters such as opaque tokens are made of.
    pub fn token(&mut self, length: usize) -> String {
        const LETTERS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        (0..length)
            .filter_map(|_| self.one(LETTERS).map(|letter| char::from(*letter)))
            .collect()
    }
}
