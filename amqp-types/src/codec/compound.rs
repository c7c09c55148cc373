//! Writing lists and maps (sections 1.6.22 and 1.6.23).
//!
//! Decides that a list or map is written in one pass: the short form first, patched
//! at the end, and made wide where it turned out too long.

use super::code;
use super::text::size32;
use bytes::BytesMut;

/// The octets of the short form before the first item: code, size, count.
const SHORT: usize = 3;
/// The octets of the wide form before the first item.
const WIDE: usize = 9;

/// Appends the head of a list or map in its short form, `code` being the short one,
/// and returns where it starts.
#[inline]
pub(super) fn begin(out: &mut BytesMut, code: u8) -> usize {
    let start = out.len();
    out.extend_from_slice(&[code, 0, 0]);
    start
}

/// Completes the list or map at `start`, to which `count` items were appended.
// [TYP-19]
#[inline]
pub(super) fn end(out: &mut BytesMut, start: usize, count: usize) {
    let size = out.len() - start - SHORT + 1;
    if let (Ok(size), Ok(count)) = (u8::try_from(size), u8::try_from(count))
        && let Some([_, size_octet, count_octet]) = out.get_mut(start..start + SHORT)
    {
        *size_octet = size;
        *count_octet = count;
        return;
    }
    widen(out, start, count);
}

/// Completes a list with fields: one without any needs no head.
// [TYP-21]
#[inline]
pub(super) fn end_list(out: &mut BytesMut, start: usize, count: usize) {
    if count == 0 {
        out.truncate(start);
        out.extend_from_slice(&[code::LIST0]);
    } else {
        end(out, start, count);
    }
}

#[cold]
#[inline(never)]
fn widen(out: &mut BytesMut, start: usize, count: usize) {
    let items = start + SHORT..out.len();
    let size = items.len() + 4;
    out.resize(out.len() + WIDE - SHORT, 0);
    out.copy_within(items, start + WIDE);
    // The wide code of a short one is 0x10 above it.
    out[start] += 0x10;
    out[start + 1..start + 5].copy_from_slice(&size32(size));
    out[start + 5..start + WIDE].copy_from_slice(&size32(count));
}
