//! Blocks that are not what was written.

use super::workplace::{RUN, copy_folder, messages, same_results, start, workplace};

#[test]
fn every_region_of_a_block_that_is_damaged_is_found_said_and_computed_again() {
    let workplace = workplace();
    // All blocks, and nothing put together.
    workplace.succeeds(&format!("{RUN} --shard 1/1 --out full --quiet"));
    let name = "blocks/maps/conv4-3-3.block";
    let whole = workplace.read(&format!("full/{name}"));
    let header = u64::from_le_bytes(whole[16..24].try_into().unwrap()) as usize;
    let end = whole.len();
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        bytes
    };
    let text = String::from_utf8_lossy(&whole[..32 + header]);
    let place_of_name = text.find("conv4-3-3").expect("the header names the block");
    let regions = [
        ("magic", flipped(3)),
        ("version", flipped(15)),
        ("length of the header", flipped(16)),
        ("length of the payload", flipped(25)),
        ("configuration", flipped(32 + 20)),
        ("name", flipped(place_of_name)),
        ("record", flipped(32 + header - 10)),
        ("bits of the payload", flipped(32 + header + 1)),
        ("values of the payload", flipped(end - 64 - 8)),
        ("digest", flipped(end - 1)),
        ("empty", Vec::new()),
        ("cut short", whole[..end / 2].to_vec()),
        ("one byte short", whole[..end - 1].to_vec()),
        ("one byte too long", [&whole[..], b"x"].concat()),
        ("zeros", vec![0; end]),
        ("another block", workplace.read("full/blocks/maps/conv4-2-2.block")),
    ];
    let count = regions.len();
    for (region, bytes) in regions {
        copy_folder(&workplace.path("full"), &workplace.path("out"));
        workplace.write(&format!("out/{name}"), bytes);
        let status = workplace.run("status out --json").stdout;
        let status: serde_json::Value = serde_json::from_slice(&status).unwrap();
        assert_eq!(status["parts"]["conv4"]["damaged"].as_array().unwrap().len(), 1, "{region}");
        let output = start(&workplace, &format!("{RUN} --out out")).wait_with_output().unwrap();
        let messages = messages(&output);
        assert!(output.status.success(), "{region}: {messages}");
        assert!(messages.contains(name) && messages.contains("counts as missing"), "{messages}");
        assert_eq!(messages.matches("counts as missing").count(), 1, "{messages}");
        same_results(&workplace, "out");
        std::fs::remove_dir_all(workplace.path("out")).unwrap();
    }
    eprintln!("damage: {count} regions of a block; each found, said and computed again");
}

#[test]
fn damaged_blocks_that_are_merged_are_listed_and_count_as_missing() {
    let workplace = workplace();
    for shards in [1, 3, 16] {
        let all = || {
            for index in 1..=shards {
                workplace.succeeds(&format!("{RUN} --shard {index}/{shards} --out out --quiet"));
            }
        };
        all();
        workplace.cut("out/blocks/maps/conv2-5-5.block");
        workplace.remove("out/blocks/maps/conv4-0-0.block");
        let output = workplace.run("merge out");
        let told = messages(&output);
        assert_eq!(output.status.code(), Some(1), "{told}");
        for part in ["conv2-5-5: is damaged", "conv4-0-0: is missing", "2 blocks are missing"] {
            assert!(told.contains(part), "no `{part}` in {told}");
        }
        all();
        workplace.succeeds("merge out");
        same_results(&workplace, "out");
        std::fs::remove_dir_all(workplace.path("out")).unwrap();
    }
    eprintln!("damage: a merge of 1, 3 and 16 shards lists a damaged and a missing block");
}
