//! The octets of the scripts, read from `octets.txt`; hex to octets.

/// The octets that a script's peer writes, in order.
pub(crate) fn script(id: &str) -> Vec<Vec<u8>> {
    let lines = include_str!("../octets.txt").lines();
    let writes: Vec<Vec<u8>> = lines
        .filter_map(|line| line.split_once(' '))
        .filter(|(script, _)| *script == id)
        .map(|(_, octets)| hex(octets))
        .collect();
    assert!(!writes.is_empty(), "octets.txt has no script {id}");
    writes
}

/// Octets from hex digits; blanks are skipped.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    digits
        .chunks(2)
        .map(|pair| {
            let pair = std::str::from_utf8(pair).expect("hex digits are ASCII");
            u8::from_str_radix(pair, 16).expect("two hex digits")
        })
        .collect()
}
