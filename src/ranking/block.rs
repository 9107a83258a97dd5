//! The ranking of some images as the payload of a block.
//!
//! Layer by layer, unit by unit, the top images and then the bottom ones: their number, then image,
//! position and response of each, best first; all little-endian and 4 bytes long.

use super::{Entry, LayerRanking, Side, UnitRanking};

/// Encodes the rankings of all layers.
pub fn encode(layers: &[LayerRanking]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for unit in layers.iter().flatten() {
        for side in Side::BOTH {
            let entries = unit.side(side);
            bytes.extend((entries.len() as u32).to_le_bytes());
            for Entry { image, position, response } in entries {
                bytes.extend(image.to_le_bytes());
                bytes.extend(position.to_le_bytes());
                bytes.extend(response.unwrap_or(f32::NAN).to_le_bytes());
            }
        }
    }
    bytes
}

/// Decodes the rankings of layers with these numbers of `units`; `None` for anything else.
pub fn decode(mut bytes: &[u8], units: &[usize]) -> Option<Vec<LayerRanking>> {
    let mut word = || -> Option<[u8; 4]> {
        let (word, rest) = bytes.split_first_chunk()?;
        bytes = rest;
        Some(*word)
    };
    let mut side = || -> Option<Vec<Entry>> {
        let count = u32::from_le_bytes(word()?);
        let entry = |_| {
            Some(Entry {
                image: u32::from_le_bytes(word()?),
                position: u32::from_le_bytes(word()?),
                response: Some(f32::from_le_bytes(word()?)),
            })
        };
        (0..count).map(entry).collect()
    };
    let mut unit = || Some(UnitRanking { top: side()?, bottom: side()? });
    let layers: Option<Vec<LayerRanking>> =
        units.iter().map(|&units| (0..units).map(|_| unit()).collect()).collect();
    layers.filter(|_| bytes.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded_and_nothing_else() {
        let entries = |count: u32, response: f32| -> Vec<Entry> {
            let entry = |image| Entry { image, position: 7 * image, response: Some(response) };
            (0..count).map(entry).collect()
        };
        let unit = |count| UnitRanking { top: entries(count, 1.5), bottom: entries(count, -0.0) };
        let layers = vec![vec![unit(3), unit(2)], vec![unit(0)]];
        let bytes = encode(&layers);
        assert_eq!(decode(&bytes, &[2, 1]), Some(layers));
        assert_eq!(decode(&bytes, &[2, 2]), None);
        assert_eq!(decode(&bytes, &[2]), None);
        assert_eq!(decode(&bytes[..bytes.len() - 1], &[2, 1]), None);
    }
}
