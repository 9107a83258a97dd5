//! Changes of valid files.

use serde_json::Value;

use crate::readers::Seed;

/// `SplitMix64` (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators").
pub struct Random(u64);

impl Random {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 where that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// Numbers at which lengths, signs and widths turn.
const NUMBERS: [u64; 20] = [
    0,
    1,
    2,
    3,
    7,
    127,
    128,
    255,
    256,
    65_535,
    65_536,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    1 << 32,
    1 << 40,
    u64::MAX >> 1,
    1 << 63,
    u64::MAX - 1,
    u64::MAX,
];

/// A seed's bytes, changed once to about eight times.
pub fn mutate(seed: &Seed, others: &[Seed], random: &mut Random) -> Vec<u8> {
    let mut bytes = match serde_json::from_slice(&seed.bytes) {
        Ok(mut json) if seed.json && random.below(4) > 0 => {
            for _ in 0..=random.below(3) {
                change_json(&mut json, random);
            }
            let text = serde_json::to_vec(&json).unwrap_or_default();
            if random.below(8) > 0 {
                return text;
            }
            text
        }
        _ => seed.bytes.clone(),
    };
    for _ in 0..=random.below(4) * random.below(3) {
        change(&mut bytes, others, random);
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, others: &[Seed], random: &mut Random) {
    let at = random.below(bytes.len());
    let length = match random.below(3) {
        0 => 1 + random.below(8),
        1 => 1 + random.below(64),
        _ => random.below(bytes.len()),
    };
    let end = (at + length).min(bytes.len());
    match random.below(9) {
        0 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
        1 if !bytes.is_empty() => bytes[at] = random.next() as u8,
        2 if !bytes.is_empty() => {
            bytes[at] = *b"\0\xff\x7f\x80\x1b\n {}[](),:\"'.-0".get(random.below(21)).unwrap_or(&0);
        }
        3 => bytes.truncate(at),
        4 => drop(bytes.drain(at..end)),
        5 => {
            let part = bytes[at..end].to_vec();
            let to = random.below(bytes.len());
            drop(bytes.splice(to..to, part));
        }
        6 => {
            let other = &others[random.below(others.len())].bytes;
            let from = random.below(other.len());
            let until = (from + length).min(other.len());
            drop(bytes.splice(at..end, other[from..until].to_vec()));
        }
        7 => {
            // A length, or another number of 1 to 8 bytes in either order, near one that counts.
            let number = match random.below(3) {
                0 => bytes.len() as u64,
                _ => NUMBERS[random.below(NUMBERS.len())],
            };
            let number = number.wrapping_add(random.below(3) as u64).wrapping_sub(1);
            let width = 1 << random.below(4);
            let number: Vec<u8> = match random.below(2) {
                0 => number.to_le_bytes()[..width].to_vec(),
                _ => number.to_be_bytes()[8 - width..].to_vec(),
            };
            let end = (at + width).min(bytes.len());
            bytes[at..end].copy_from_slice(&number[..end - at]);
        }
        _ => {
            // A number in digits.
            let number = NUMBERS[random.below(NUMBERS.len())].to_string();
            let digits = bytes.iter().skip(at).position(u8::is_ascii_digit).map(|skip| at + skip);
            if let Some(start) = digits {
                let end = bytes[start..].iter().position(|byte| !byte.is_ascii_digit());
                let end = end.map_or(bytes.len(), |length| start + length);
                drop(bytes.splice(start..end, number.into_bytes()));
            }
        }
    }
}

/// Changes one value of a JSON text: goes down a random way and stops somewhere.
fn change_json(value: &mut Value, random: &mut Random) {
    let stop = random.below(5) == 0;
    match value {
        Value::Array(items) if !items.is_empty() && !stop => {
            let at = random.below(items.len());
            match random.below(8) {
                0 => drop(items.remove(at)),
                1 => {
                    let item = items[at].clone();
                    let copies = 1 << random.below(8);
                    items.extend(std::iter::repeat_n(item, copies));
                }
                _ => change_json(&mut items[at], random),
            }
        }
        Value::Object(fields) if !fields.is_empty() && !stop => {
            let key = fields.keys().nth(random.below(fields.len())).cloned().unwrap_or_default();
            match random.below(10) {
                0 => drop(fields.remove(&key)),
                1 => {
                    let value = fields.remove(&key).unwrap_or_default();
                    fields.insert(text(random), value);
                }
                2 => {
                    let value = fields.get(&key).cloned().unwrap_or_default();
                    fields.insert(text(random), value);
                }
                _ => {
                    if let Some(value) = fields.get_mut(&key) {
                        change_json(value, random);
                    }
                }
            }
        }
        other => {
            *other = match random.below(9) {
                0 => Value::Null,
                1 => Value::Bool(true),
                2 => (-1).into(),
                3 => 1.5e300.into(),
                4 => Value::String(text(random)),
                5 => Value::Array(Vec::new()),
                6 => serde_json::json!({ "a": [] }),
                _ => NUMBERS[random.below(NUMBERS.len())].into(),
            };
        }
    }
}

/// A text that a table or a terminal may not like, or a name that means something.
fn text(random: &mut Random) -> String {
    match random.below(9) {
        0 => String::new(),
        1 => "n".repeat(1 << random.below(17)),
        2 => "\u{1b}[2J\u{1b}[31m\r\n".into(),
        3 => "a\u{202e}b\u{9b}".into(),
        4 => "../../etc/passwd".into(),
        5 => "conv1".into(),
        6 => "image".into(),
        7 => "features.0".into(),
        _ => "0".repeat(64),
    }
}
