//! Writes the seeds: one file for each vector, and messages made of the sections among
//! them.
//!
//! Every vector is a seed of `value` and `frame`; `message` gets the sections alone, in
//! pairs, and all in one.

use serde_json::Value as Json;
use std::error::Error;
use std::path::Path;

const VECTORS: &str = include_str!("../../tests/vectors/type-vectors.json");
/// The types that are sections, in the order that they have in a message.
const SECTIONS: &[&str] = &[
    "header",
    "message-annotations",
    "properties",
    "application-properties",
    "data",
    "amqp-sequence",
    "amqp-value",
    "footer",
];

fn main() -> Result<(), Box<dyn Error>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for target in ["value", "frame", "message"] {
        std::fs::create_dir_all(corpus.join(target))?;
    }
    let rows: Vec<Json> = serde_json::from_str(VECTORS)?;
    let mut sections: Vec<(usize, String, Vec<u8>)> = Vec::new();
    for row in &rows {
        let text = |name: &str| row[name].as_str().unwrap_or_default();
        let (id, octets) = (text("id"), octets(text("hex")));
        std::fs::write(corpus.join("value").join(id), &octets)?;
        std::fs::write(corpus.join("frame").join(id), &octets)?;
        if let Some(place) = SECTIONS.iter().position(|name| *name == text("decode_as")) {
            sections.push((place, id.to_owned(), octets));
        }
    }
    sections.sort();
    let message = corpus.join("message");
    for (index, (place, id, octets)) in sections.iter().enumerate() {
        std::fs::write(message.join(id), octets)?;
        for (later, other, more) in &sections[index + 1..] {
            if later > place {
                std::fs::write(
                    message.join(format!("{id}-{other}")),
                    [&octets[..], more].concat(),
                )?;
            }
        }
    }
    let all: Vec<u8> = sections.iter().flat_map(|(_, _, o)| o.clone()).collect();
    std::fs::write(message.join("all"), all)?;
    println!("{} vectors, {} sections", rows.len(), sections.len());
    Ok(())
}

fn octets(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = (hex.chars().filter_map(|digit| digit.to_digit(16)))
        .filter_map(|digit| u8::try_from(digit).ok())
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}
