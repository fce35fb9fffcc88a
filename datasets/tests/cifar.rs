//! CIFAR-10 and CIFAR-100 from files and from a server on this machine.

#[cfg(feature = "download")]
mod server;

use burn::data::dataset::Dataset;
use burn_quantum_datasets::{Cifar10, Cifar100, ImageDataset};
use flate2::{Compression, write::GzEncoder};
use std::fs;
use std::io::Write;
use std::path::Path;

const N_PIXELS: usize = 3 * 32 * 32;

fn pixels(k: usize) -> Vec<u8> {
    (0..N_PIXELS).map(|i| ((i + 7 * k) % 251) as u8).collect()
}

/// One record for each of the labels, which may be one or two bytes.
fn records<const N: usize>(labels: &[[u8; N]]) -> Vec<u8> {
    let record = |(k, label): (usize, &[u8; N])| [&label[..], &pixels(k)].concat();
    labels.iter().enumerate().flat_map(record).collect()
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn write_ten(folder: &Path) {
    for batch in 1..=5u8 {
        let file = records(&[[batch], [0], [9]]);
        fs::write(folder.join(format!("data_batch_{batch}.bin")), file).unwrap();
    }
    fs::write(folder.join("test_batch.bin"), records(&[[3]])).unwrap();
}

fn pixels_of(images: &ImageDataset, k: usize) -> Vec<u8> {
    images.get(k).unwrap().pixels
}

#[test]
fn the_five_batches_are_read_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_ten(folder);
    let train = Cifar10::train(folder).unwrap();
    assert_eq!((train.shape(), train.n_classes()), ([3, 32, 32], 10));
    assert_eq!(train.labels(), [1, 0, 9, 2, 0, 9, 3, 0, 9, 4, 0, 9, 5, 0, 9]);
    for k in 0..15 {
        assert_eq!(pixels_of(&train, k), pixels(k % 3));
    }
    let test = Cifar10::test(folder).unwrap();
    assert_eq!((test.labels(), pixels_of(&test, 0)), (&[3][..], pixels(0)));

    let plain = fs::read(folder.join("data_batch_3.bin")).unwrap();
    fs::remove_file(folder.join("data_batch_3.bin")).unwrap();
    // As `cat` makes it of two compressed halves.
    let (first, second) = plain.split_at(plain.len() / 2);
    fs::write(folder.join("data_batch_3.bin.gz"), [gz(first), gz(second)].concat()).unwrap();
    assert_eq!(Cifar10::train(folder).unwrap(), train);
}

#[test]
fn cifar_100_has_groups_and_classes() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("train.bin"), records(&[[19, 99], [0, 42]])).unwrap();
    fs::write(folder.path().join("test.bin"), records(&[[7, 8]])).unwrap();
    let (train, test) = (Cifar100::train(folder.path()), Cifar100::test(folder.path()));
    let (train, test) = (train.unwrap(), test.unwrap());
    assert_eq!((train.labels(), train.n_classes()), (&[99, 42][..], 100));
    assert_eq!((test.labels(), pixels_of(&train, 1)), (&[8][..], pixels(1)));
    let groups = Cifar100::train_groups(folder.path()).unwrap();
    assert_eq!((groups.labels(), groups.n_classes()), (&[19, 0][..], 20));
    assert_eq!(pixels_of(&groups, 1), pixels(1));
    assert_eq!(Cifar100::test_groups(folder.path()).unwrap().labels(), [7]);
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let missing = Cifar10::train(&folder.join("absent")).unwrap_err();
    assert!(missing.is_missing() && missing.to_string().contains("absent` is not a folder"));
    let missing = Cifar10::train(folder).unwrap_err();
    assert!(missing.is_missing(), "{missing}");
    assert!(missing.to_string().contains("neither `data_batch_1.bin` nor `data_batch_1.bin.gz`"));

    let good = records(&[[4], [0], [9]]);
    let wrong = |content: &[u8]| {
        write_ten(folder);
        fs::write(folder.join("data_batch_2.bin"), content).unwrap();
        let error = Cifar10::train(folder).unwrap_err();
        assert!(error.is_corrupt());
        let message = error.to_string();
        assert!(message.contains("data_batch_2.bin` is corrupt: "), "{message}");
        message.split_once("corrupt: ").unwrap().1.to_string()
    };
    assert_eq!(wrong(&[]), "it is empty");
    let cut = "9218 bytes are not records of 3073: record 2 begins at byte 6146 and has 3072";
    assert_eq!(wrong(&good[..9218]), cut);
    let long = "9220 bytes are not records of 3073: record 3 begins at byte 9219 and has 1";
    assert_eq!(wrong(&[&good[..], &[0]].concat()), long);
    assert_eq!(wrong(&good[..6146]), "2 images, but `data_batch_1.bin` holds 3");
    let mut bad = good.clone();
    bad[3073] = 10;
    assert_eq!(wrong(&bad), "byte 3073 (record 1): label 10 is not below 10");
    let half = gz(&good);
    assert!(wrong(&half[..half.len() / 2]).contains("not a whole gzip file"));

    fs::write(folder.join("train.bin"), records(&[[0, 0], [20, 0]])).unwrap();
    let error = Cifar100::train(folder).unwrap_err().to_string();
    assert!(error.contains("byte 3074 (record 1): group 20 is not below 20"), "{error}");
    fs::write(folder.join("train.bin"), records(&[[0, 0], [0, 100]])).unwrap();
    let error = Cifar100::train_groups(folder).unwrap_err().to_string();
    assert!(error.contains("byte 3075 (record 1): label 100 is not below 100"), "{error}");
}

#[cfg(feature = "download")]
mod download {
    use super::server::{ok, serve, sha256, status};
    use super::*;

    const MEMBERS: [&str; 2] = ["train.bin", "test.bin"];

    fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, content) in members {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, format!("folder/{name}"), *content).unwrap();
        }
        gz(&tar.into_inner().unwrap())
    }

    fn files(folder: &Path) -> Vec<String> {
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| name(e).into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_wanted_members_of_an_archive_arrive_after_a_fault() {
        let body = archive(&[("readme.html", b"no"), ("test.bin", b"b"), ("train.bin", b"aa")]);
        let short = &body[..body.len() - 9];
        let responses = vec![status("503 Busy"), ok(short, body.len()), ok(&body, body.len())];
        let (fetcher, paths) = serve(responses);
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("made");
        let mut last = None;
        let result =
            fetcher.fetch_tar_gz(&folder, "a.tar.gz", &sha256(&body), &MEMBERS, &mut |p| {
                last = Some(p);
            });
        result.unwrap();
        assert_eq!(*paths.lock().unwrap(), ["/mnist/a.tar.gz"; 3]);
        assert_eq!(files(&folder), ["test.bin", "train.bin"]);
        assert_eq!(fs::read(folder.join("train.bin")).unwrap(), b"aa");
        assert_eq!(fs::read(folder.join("test.bin")).unwrap(), b"b");
        let last = last.unwrap();
        assert_eq!((last.name.as_str(), last.received), ("a.tar.gz", body.len() as u64));
    }

    #[test]
    fn another_archive_leaves_nothing() {
        let body = archive(&[("train.bin", b"aa")]);
        let (mut fetcher, _) = serve(vec![ok(&body, body.len()); 3]);
        let folder = tempfile::tempdir().unwrap();
        let error = Cifar100::fetch(&fetcher, folder.path(), |_| {}).unwrap_err();
        assert!(error.is_download());
        assert!(error.to_string().contains("expected 58a81ae192c23a4b"), "{error}");
        assert!(error.to_string().contains("/cifar-100-binary.tar.gz"), "{error}");
        assert!(files(folder.path()).is_empty());

        // The right checksum of an archive that lacks a member, and of one that is none.
        for (body, reason) in
            [(body, "`test.bin` is not in it"), (gz(b"not a tar"), "not a tar.gz file")]
        {
            fetcher = serve(vec![ok(&body, body.len())]).0;
            let sha256 = sha256(&body);
            let result =
                fetcher.fetch_tar_gz(folder.path(), "a.tar.gz", &sha256, &MEMBERS, &mut |_| {});
            let error = result.unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
            assert!(files(folder.path()).is_empty());
        }
    }

    #[test]
    fn files_that_are_there_are_not_fetched() {
        let (fetcher, paths) = serve(vec![status("404 Not Found")]);
        let folder = tempfile::tempdir().unwrap();
        write_ten(folder.path());
        Cifar10::fetch(&fetcher, folder.path(), |_| {}).unwrap();
        assert!(paths.lock().unwrap().is_empty());
        fs::remove_file(folder.path().join("data_batch_4.bin")).unwrap();
        assert!(Cifar10::fetch(&fetcher, folder.path(), |_| {}).unwrap_err().is_download());
        assert_eq!(*paths.lock().unwrap(), ["/mnist/cifar-10-binary.tar.gz"]);
    }
}
