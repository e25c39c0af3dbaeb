//! Places for texts in tables that remember some of them. Whoever has texts fall on one place gets
//! them looked up anew, and no more.

/// The place of a text among so many; it depends on all bytes.
pub fn place_of(bytes: &[u8], places: usize) -> usize {
    let mut mixed = bytes.len() as u64;
    let mut mix = |word: [u8; 8]| {
        let word = u64::from_le_bytes(word) ^ mixed;
        // The multiplier of Fibonacci hashing: 2^64 over the golden ratio.
        mixed = word.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
    };
    let (words, rest) = bytes.as_chunks::<8>();
    words.iter().for_each(|word| mix(*word));
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(to, byte)| *to = *byte);
    mix(last);
    (mixed % places.max(1) as u64) as usize
}
