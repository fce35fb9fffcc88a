//! MNIST from files and from a server on this machine.

#[cfg(feature = "download")]
mod server;

use burn::data::dataset::Dataset;
use burn_quantum_datasets::Mnist;
use flate2::{Compression, write::GzEncoder};
use std::fs;
use std::io::Write;
use std::path::Path;

const TRAIN: [&str; 2] = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"];

fn idx(dims: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, dims.len() as u8];
    dims.iter().for_each(|d| file.extend(d.to_be_bytes()));
    file.extend(bytes);
    file
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn images() -> Vec<u8> {
    (0..3 * 784).map(|i| (i % 251) as u8).collect()
}

fn write(folder: &Path, images: &[u8], labels: &[u8]) {
    fs::write(folder.join(TRAIN[0]), images).unwrap();
    fs::write(folder.join(TRAIN[1]), labels).unwrap();
}

#[test]
fn plain_and_compressed_files_give_the_same_images() {
    let folder = tempfile::tempdir().unwrap();
    let (images, labels) = (idx(&[3, 28, 28], &images()), idx(&[3], &[5, 0, 9]));
    write(folder.path(), &images, &labels);
    let plain = Mnist::train(folder.path()).unwrap();
    fs::remove_file(folder.path().join(TRAIN[0])).unwrap();
    fs::write(folder.path().join(format!("{}.gz", TRAIN[0])), gz(&images)).unwrap();
    assert_eq!(Mnist::train(folder.path()).unwrap(), plain);
    assert_eq!((plain.len(), plain.labels()), (3, &[5, 0, 9][..]));
    assert_eq!(plain.get(1).unwrap().pixels[..2], [784u32, 785].map(|i| (i % 251) as u8));
}

#[test]
fn what_is_wrong_with_a_file_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let message = || Mnist::train(folder).unwrap_err().to_string();
    let missing = Mnist::train(&folder.join("absent")).unwrap_err();
    assert!(missing.is_missing() && missing.to_string().contains("absent` is not a folder"));
    assert!(message().contains("neither `train-images-idx3-ubyte` nor"), "{}", message());

    let good = idx(&[3, 28, 28], &images());
    write(folder, &good[..1000], &idx(&[3], &[0; 3]));
    assert!(
        message().contains("is corrupt: 1000 bytes, its header announces 2368"),
        "{}",
        message()
    );
    write(folder, &good, &idx(&[2], &[0; 2]));
    assert!(message().contains("2 labels for 3 images"), "{}", message());
    write(folder, &good, &idx(&[3], &[0, 10, 0]));
    assert!(message().contains("label 10 is not a digit"), "{}", message());
    write(folder, &idx(&[3, 14, 56], &images()), &idx(&[3], &[0; 3]));
    assert!(message().contains("images of [14, 56] pixels"), "{}", message());
    let compressed = gz(&good);
    write(folder, &compressed[..compressed.len() / 2], &idx(&[3], &[0; 3]));
    assert!(message().contains("not a whole gzip file"), "{}", message());
    assert!(Mnist::train(folder).unwrap_err().is_corrupt());
}

#[cfg(feature = "download")]
mod download {
    use super::server::{STALL, ok, serve, sha256, status};
    use super::*;
    use burn_quantum_datasets::Progress;
    use std::time::Duration;

    fn fetch(responses: Vec<Vec<u8>>) -> (String, Vec<String>, Vec<Progress>) {
        let (fetcher, paths) = serve(responses);
        let folder = tempfile::tempdir().unwrap();
        let mut progress = Vec::new();
        let error = Mnist::fetch(&fetcher, folder.path(), |p| progress.push(p)).unwrap_err();
        assert!(error.is_download());
        let left = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 0, "nothing is left behind");
        (error.to_string(), paths.lock().unwrap().clone(), progress)
    }

    #[test]
    fn passing_faults_are_retried_and_others_are_not() {
        let (message, paths, _) =
            fetch(vec![status("503 Busy"), status("500 Oops"), status("429 Slow")]);
        assert!(message.contains("(3 attempts)") && message.contains("429"), "{message}");
        assert_eq!(paths, ["/mnist/train-images-idx3-ubyte.gz"; 3]);
        let (message, paths, _) = fetch(vec![status("404 Not Found")]);
        assert!(message.contains("(1 attempts)") && message.contains("404"), "{message}");
        assert_eq!(paths.len(), 1);
    }

    #[test]
    fn truncated_and_wrong_contents_are_refused() {
        let body = gz(&idx(&[3, 28, 28], &images()));
        let short = &body[..body.len() - 9];
        let (_, paths, progress) = fetch(vec![ok(short, body.len()); 3]);
        assert_eq!(paths.len(), 3);
        assert_eq!(progress[0].total, Some(body.len() as u64));
        let (message, _, _) = fetch(vec![ok(&body, body.len()); 3]);
        assert!(message.contains("SHA-256 of the contents is"), "{message}");
    }

    #[test]
    fn a_server_that_falls_silent_is_given_up() {
        let mut stored = GzEncoder::new(Vec::new(), Compression::none());
        stored.write_all(&STALL.repeat(1000)).unwrap();
        let body = stored.finish().unwrap();
        let cut = body.windows(STALL.len()).position(|window| window == STALL).unwrap();
        let (mut fetcher, _) = serve(vec![ok(&body[..cut + STALL.len()], body.len())]);
        (fetcher.attempts, fetcher.body_timeout) = (1, Duration::from_millis(200));
        let folder = tempfile::tempdir().unwrap();
        let start = std::time::Instant::now();
        assert!(Mnist::fetch(&fetcher, folder.path(), |_| {}).unwrap_err().is_download());
        let waited = start.elapsed().as_millis();
        assert!((200..1500).contains(&waited), "{waited} ms");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn no_server_is_an_error_that_names_the_address() {
        let (mut fetcher, _) = serve(vec![]);
        fetcher.base_url = "http://127.0.0.1:9/mnist".into();
        let folder = tempfile::tempdir().unwrap();
        let error = Mnist::fetch(&fetcher, folder.path(), |_| {}).unwrap_err().to_string();
        assert!(error.contains("http://127.0.0.1:9/mnist/train-images-idx3-ubyte.gz"), "{error}");
    }

    #[test]
    fn a_good_file_arrives_whole_after_a_fault() {
        let contents = images();
        let body = gz(&contents);
        let (fetcher, _) = serve(vec![status("503 Busy"), ok(&body, body.len())]);
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("made/on/the/way");
        let mut received = 0;
        fetcher
            .fetch_gz(&folder, "file", &sha256(&contents), &mut |p| received = p.received)
            .unwrap();
        assert_eq!(fs::read(folder.join("file")).unwrap(), contents);
        assert_eq!(received, body.len() as u64);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }

    #[test]
    fn files_that_are_there_are_not_fetched() {
        let (fetcher, paths) = serve(vec![status("404 Not Found")]);
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), b"", b"");
        let error = Mnist::fetch(&fetcher, folder.path(), |_| {}).unwrap_err();
        assert!(error.to_string().contains("t10k-images"), "{error}");
        assert_eq!(*paths.lock().unwrap(), ["/mnist/t10k-images-idx3-ubyte.gz"]);
    }
}
