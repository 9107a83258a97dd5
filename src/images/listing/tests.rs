use super::*;

/// A folder of empty files.
fn folder_of(names: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }
    folder
}

fn listed(names: &[&str]) -> Result<(Kind, Vec<String>), ImageError> {
    list(folder_of(names).path()).map(|listing| (listing.kind, listing.names))
}

#[test]
fn arrays_are_in_the_order_of_their_numbers() {
    let names: Vec<String> = (0..12).map(|i| format!("{i}.npy")).collect();
    let shuffled: Vec<&str> = names.iter().rev().map(String::as_str).collect();
    assert_eq!(listed(&shuffled).unwrap(), (Kind::Arrays, names));
}

#[test]
fn pictures_are_in_the_order_of_their_names_bytes() {
    let (kind, names) = listed(&["b.PNG", "a10.jpg", "a9.JPEG", "B.Jpg", "é.png"]).unwrap();
    assert_eq!(kind, Kind::Pictures);
    assert_eq!(names, ["B.Jpg", "a10.jpg", "a9.JPEG", "b.PNG", "é.png"]);
}

#[test]
fn every_ending_of_a_picture_counts_in_any_case() {
    let names = ["a.jpg", "b.webp", "c.bmp", "d.tif", "e.jfif", "f.JPE", "g.TIFF", "h.Gif"];
    assert_eq!(listed(&names).unwrap().1, names);
}

#[test]
fn pictures_of_class_folders_are_listed_by_relative_names() {
    let folder = folder_of(&[
        "n01443537/b.JPEG",
        "n01440764/n01440764_10026.JPEG",
        "n01440764/n01440764_10027.JPEG",
        "n01440764/deep/er/x.png",
        "n01440764/labels.txt",
        "n01440764/0.npy",
        ".hidden/a.png",
        "empty/.keep",
    ]);
    let listing = list(folder.path()).unwrap();
    assert_eq!(
        listing.names,
        [
            "n01440764/deep/er/x.png",
            "n01440764/n01440764_10026.JPEG",
            "n01440764/n01440764_10027.JPEG",
            "n01443537/b.JPEG"
        ]
    );
    assert_eq!(
        listing.passed_over.to_string(),
        "passed over: 1 file without an image's ending (n01440764/labels.txt); 2 hidden files \
         (.hidden, …); 1 array in a folder below (n01440764/0.npy)"
    );
}

#[test]
fn everything_else_is_passed_over_and_counted() {
    let folder = folder_of(&[
        "0.npy",
        "labels.txt",
        "x.npz",
        ".hidden.png",
        "._0.npy",
        "npy",
        ".npy",
        "out/plots/a.png",
    ]);
    std::fs::create_dir(folder.path().join("1.npy")).unwrap();
    let listing = list(folder.path()).unwrap();
    assert_eq!((listing.kind, listing.names), (Kind::Arrays, vec!["0.npy".to_owned()]));
    assert_eq!(
        listing.passed_over.to_string(),
        "passed over: 3 files without an image's ending (labels.txt, …); 3 hidden files (._0.npy, \
         …); 2 folders beside images (1.npy, …)"
    );
    assert_eq!(listing.passed_over.count(), 8);
}

#[test]
fn a_list_keeps_its_order_and_names_its_lines() {
    let folder = folder_of(&["pictures/b.png", "pictures/a.jpg"]);
    let list_of = |text: &str| {
        let path = folder.path().join("list.txt");
        std::fs::write(&path, text).unwrap();
        list(&path)
    };
    let listing =
        list_of("# two\npictures/b.png\r\n\n  pictures/a.jpg  \n/elsewhere/c.webp").unwrap();
    assert_eq!(listing.base, folder.path());
    assert_eq!(listing.names, ["pictures/b.png", "pictures/a.jpg", "/elsewhere/c.webp"]);
    let refused = |text: &str, words: &str| {
        let error = list_of(text).unwrap_err().to_string();
        assert!(error.contains("list.txt: ") && error.contains(words), "{error}");
    };
    refused("", "lists no images");
    refused("a.png\nb.png\na.png", "line 3: a.png stands in line 1 already");
    refused("a.png\nb.doc", "line 2: b.doc does not end as an image's name");
    refused("a.png\nb.npy", "1 .npy file and 1 picture;");
    std::fs::write(folder.path().join("list.txt"), [0xff, 0xfe]).unwrap();
    let error = list(&folder.path().join("list.txt")).unwrap_err().to_string();
    assert!(error.contains("not UTF-8"), "{error}");
}

#[test]
fn one_image_may_be_named_itself() {
    let folder = folder_of(&["a.jpg", "b.npy"]);
    for (name, kind) in [("a.jpg", Kind::Pictures), ("b.npy", Kind::Arrays)] {
        let listing = list(&folder.path().join(name)).unwrap();
        assert_eq!((listing.kind, listing.names), (kind, vec![name.to_owned()]));
    }
}

#[test]
fn a_gap_names_the_first_number_that_is_missing() {
    for (names, missing) in [(&["1.npy", "2.npy"][..], 0), (&["0.npy", "1.npy", "3.npy"], 2)] {
        let error = listed(names).unwrap_err();
        assert!(matches!(error, ImageError::Gap { missing: m, .. } if m == missing), "{error}");
        assert!(error.to_string().contains(&format!("{missing}.npy is missing")), "{error}");
    }
}

#[test]
fn other_names_of_arrays_are_refused() {
    for wrong in ["a.npy", "007.npy", "+1.npy", "1.NPY", "-1.npy", "99999999999999999999.npy"] {
        let error = listed(&["0.npy", wrong]).unwrap_err();
        assert!(matches!(&error, ImageError::Name { name, .. } if name == wrong), "{error}");
        assert!(error.to_string().contains("without leading zeros"), "{error}");
    }
}

#[test]
fn both_kinds_are_refused_with_their_numbers() {
    let error = listed(&["0.npy", "1.npy", "a.png", "b.jpg", "c.webp"]).unwrap_err();
    assert!(matches!(error, ImageError::Mixed { arrays: 2, pictures: 3, .. }), "{error}");
    assert!(error.to_string().contains("2 .npy files and 3 pictures"), "{error}");
}

#[test]
fn no_images_and_no_folder_are_errors() {
    assert!(matches!(listed(&[]), Err(ImageError::NoImages { .. })));
    let error = listed(&["a.heic", "b/c.txt"]).unwrap_err().to_string();
    assert!(error.contains("no images found; expected 0.npy"), "{error}");
    assert!(
        error.contains("passed over: 2 files without an image's ending (a.heic, …)"),
        "{error}"
    );
    let folder = tempfile::tempdir().unwrap();
    let error = list(&folder.path().join("absent")).unwrap_err();
    assert!(error.to_string().contains("absent: there is no such folder"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_name_that_is_not_utf8_is_refused() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = tempfile::tempdir().unwrap();
    let name = std::ffi::OsStr::from_bytes(b"\xFF.png");
    std::fs::write(folder.path().join(name), "").unwrap();
    let error = list(folder.path()).unwrap_err();
    assert!(error.to_string().contains("not valid UTF-8"), "{error}");
}

#[cfg(unix)]
#[test]
fn links_count_as_what_they_lead_to_and_loops_end() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    symlink(folder.path().join("folder"), folder.path().join("1.npy")).unwrap();
    symlink(folder.path().join("nowhere"), folder.path().join("0.npy")).unwrap();
    assert_eq!(list(folder.path()).unwrap().names, ["0.npy"]);

    let folder = folder_of(&["a/x.png", "b/y.png"]);
    symlink(folder.path().join("b"), folder.path().join("a/c")).unwrap();
    symlink(folder.path().join("a"), folder.path().join("b/d")).unwrap();
    symlink(folder.path(), folder.path().join("a/up")).unwrap();
    let listing = list(folder.path()).unwrap();
    assert_eq!(listing.names, ["a/c/y.png", "a/x.png", "b/d/x.png", "b/y.png"]);
    assert!(listing.passed_over.to_string().contains("links to folders around"), "{listing:?}");
}
