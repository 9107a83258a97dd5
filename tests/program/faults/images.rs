//! Images that change or disappear in the middle.

use super::workplace::{RUN, blocks, messages, same_results, start, until, workplace};

#[test]
fn an_image_that_changes_or_disappears_midway_is_named_and_the_run_goes_on_afterwards() {
    let workplace = workplace();
    // Longer, so that there is a middle on a busy machine, too.
    let run = RUN.replace("--every 5", "--every 2");
    workplace.succeeds(&format!("{run} --out whole --force --quiet"));
    // One that conv4, swept last, looks at.
    let ranking = occlumap::files::npy::read(&workplace.path("whole/ranking/conv4.npy")).unwrap();
    let ranking = crate::common::cube(crate::common::to_i64(ranking));
    let units = ranking.dim().0;
    let image = format!("images/{}.npy", ranking[[units - 1, 0, 0]]);
    let other = format!("images/{}.npy", (ranking[[units - 1, 0, 0]] + 1) % 4);
    let right = workplace.read(&image);
    for (what, words) in [("changes", "has changed since"), ("disappears", "cannot be read")] {
        let child = start(&workplace, &format!("{run} --out out"));
        let maps = |name: &String| name.starts_with("conv");
        until("blocks", || blocks(&workplace.path("out")).iter().any(maps));
        match what {
            "changes" => workplace.copy(&other, &image),
            _ => workplace.remove(&image),
        }
        let output = child.wait_with_output().unwrap();
        let told = messages(&output);
        assert_eq!(output.status.code(), Some(1), "{what}: {told}");
        assert!(told.contains(&image) && told.contains(words), "{what}: {told}");
        let kept = blocks(&workplace.path("out"));
        assert!(!kept.is_empty());
        workplace.write(&image, &right);
        let output = start(&workplace, &format!("{run} --out out")).wait_with_output().unwrap();
        let told = messages(&output);
        assert!(output.status.success(), "{told}");
        assert!(told.contains("blocks already done"), "{told}");
        same_results(&workplace, "out");
        std::fs::remove_dir_all(workplace.path("out")).unwrap();
    }
    eprintln!("images: changed and removed midway; named, blocks kept, equal results");
}
