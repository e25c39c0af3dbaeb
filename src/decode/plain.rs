//! Where runs of plain characters end within a string of JSON, several bytes at a time.

use wide::u8x16;

/// Bytes that are looked at together.
pub(super) const BLOCK: usize = 16;

/// The last of the control characters.
const CONTROL_MAX: u8 = 0x1f;

/// How many bytes from `start` on are neither a quote, nor a backslash, nor a control character.
#[inline]
pub(super) fn length(bytes: &[u8], start: usize) -> usize {
    let mut rest = bytes.get(start..).unwrap_or_default();
    let mut length = 0;
    while let Some((block, after)) = rest.split_first_chunk::<BLOCK>() {
        let special = special_bytes(block);
        if special != 0 {
            return length + special.trailing_zeros() as usize;
        }
        length += BLOCK;
        rest = after;
    }
    length + rest.iter().take_while(|byte| !is_special(**byte)).count()
}

/// The same within a block; all of it if no byte is one.
#[inline]
pub(super) fn length_within(block: &[u8; BLOCK]) -> usize {
    (special_bytes(block) | 1 << BLOCK).trailing_zeros() as usize
}

fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..=CONTROL_MAX)
}

/// The bytes that end a run of plain ones, a bit each, the first one's the lowest.
#[inline]
fn special_bytes(block: &[u8; BLOCK]) -> i32 {
    let bytes = u8x16::new(*block);
    let quotes = bytes.cmp_eq(u8x16::splat(b'"'));
    let backslashes = bytes.cmp_eq(u8x16::splat(b'\\'));
    let controls = bytes.min(u8x16::splat(CONTROL_MAX)).cmp_eq(bytes);
    (quotes | backslashes | controls).move_mask()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_run_ends_at_the_first_special_byte(
            mut bytes in prop::collection::vec(0x20_u8.., 0..70),
            specials in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
            start in 0_usize..20,
        ) {
            for (place, byte) in &specials {
                let place = place.index(bytes.len().max(1));
                bytes.get_mut(place).iter_mut().for_each(|known| **known = *byte);
            }
            let rest = bytes.get(start..).unwrap_or_default();
            let wanted = rest.iter().take_while(|byte| !is_special(**byte)).count();
            prop_assert_eq!(length(&bytes, start), wanted);
            if let Some(block) = rest.first_chunk() {
                prop_assert_eq!(length_within(block), wanted.min(BLOCK));
            }
        }
    }
}
