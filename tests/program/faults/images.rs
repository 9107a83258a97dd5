//! Images that change or disappear in the middle.

use super::place::{RUN, blocks, messages, place, same_results, start, until};

#[test]
fn an_image_that_changes_or_disappears_midway_is_named_and_the_run_goes_on_afterwards() {
    let place = place();
    // Longer, so that there is a middle on a busy machine, too.
    let run = RUN.replace("--every 5", "--every 2");
    place.succeeds(&format!("{run} --out whole --force --quiet"));
    // One that conv4, swept last, looks at.
    let ranking = occlumap::files::npy::read(&place.path("whole/ranking/conv4.npy")).unwrap();
    let ranking = crate::common::cube(crate::common::to_i64(ranking));
    let units = ranking.dim().0;
    let image = format!("images/{}.npy", ranking[[units - 1, 0, 0]]);
    let other = format!("images/{}.npy", (ranking[[units - 1, 0, 0]] + 1) % 4);
    let right = place.read(&image);
    for (what, words) in [("changes", "has changed since"), ("disappears", "cannot be read")] {
        let child = start(&place, &format!("{run} --out out"));
        let maps = |name: &String| name.starts_with("conv");
        until("blocks", || blocks(&place.path("out")).iter().any(maps));
        match what {
            "changes" => place.copy(&other, &image),
            _ => place.remove(&image),
        }
        let output = child.wait_with_output().unwrap();
        let told = messages(&output);
        assert_eq!(output.status.code(), Some(1), "{what}: {told}");
        assert!(told.contains(&image) && told.contains(words), "{what}: {told}");
        let kept = blocks(&place.path("out"));
        assert!(!kept.is_empty());
        place.write(&image, &right);
        let output = start(&place, &format!("{run} --out out")).wait_with_output().unwrap();
        let told = messages(&output);
        assert!(output.status.success(), "{told}");
        assert!(told.contains("blocks already done"), "{told}");
        same_results(&place, "out");
        std::fs::remove_dir_all(place.path("out")).unwrap();
    }
    eprintln!("images: changed and removed midway; named, blocks kept, equal results");
}
