//! Presentations that the device writes out, against the host's own.

use super::super::present::DeviceJobs;
use super::emulator::on_device;
use crate::engine::cuda::Device;
use crate::engine::cuda::tables::layout::Presentation;
use crate::engine::cuda::tables::layout::{DeviceJob, Run, Square};
use crate::network::RGB;

const JOBS: u32 = 90;

fn jobs() -> Vec<DeviceJob> {
    let job = |number: u32| DeviceJob {
        stream: if number.is_multiple_of(3) { i64::from(number) << 33 } else { -1 },
        key: [number + 1, number + 2],
        image_index: 7 * number,
        draw: number % 5,
        image: number / 2,
        unit: number % 11,
        y: number as i32 % 13,
        x: number as i32 % 6,
        top: 300 + number as i32,
        left: 50_000 - number as i32,
        difference: 1000 * number,
        reserved: 0,
    };
    (0..JOBS).map(job).collect()
}

fn squares() -> Vec<Square> {
    let square = |index: u32| {
        let (top, left) = (-(index as i32), 40 * index as i32);
        Square { top, left, size: 1 + index, index: 2 * index }
    };
    (0..9).map(square).collect()
}

/// By the definition of the fields.
fn plain(job: &DeviceJob, square: &Square, number: u32) -> Presentation {
    let values = RGB as i64 * i64::from(square.size) * i64::from(square.size);
    Presentation {
        stream: if job.stream < 0 { -1 } else { job.stream + i64::from(square.index) * values },
        key: job.key,
        image_index: job.image_index,
        corner: ((job.top + square.top) as u32) << 16 | (job.left + square.left) as u32,
        size_draw: square.size << 16 | job.draw,
        image: job.image,
        unit: job.unit,
        y: job.y,
        x: job.x,
        difference: job.difference + number,
    }
}

#[test]
fn presentations_are_those_of_the_runs() {
    on_device(module_path!(), "presentations_are_those_of_the_runs", || {
        let device = Device::open(0).unwrap();
        let (jobs, squares) = (jobs(), squares());
        let device_jobs =
            DeviceJobs::new(&device, jobs.clone(), squares.clone(), 100_000, 3).unwrap();
        // Runs of a single job and of many, over several blocks.
        for lengths in [vec![1], vec![40, 1, 1, 90, 3, 88, 90, 7, 60], vec![1; 300]] {
            let (mut runs, mut expected) = (Vec::new(), Vec::new());
            for (which, &length) in lengths.iter().enumerate() {
                let (job, square) = (which as u32 % (JOBS + 1 - length), which as u32 % 9);
                let number = 10 * square;
                runs.push(Run { first: expected.len() as u32, job, square, number });
                let of_run = (job..job + length)
                    .map(|job| plain(&jobs[job as usize], &squares[square as usize], number));
                expected.extend(of_run);
            }
            let found = device_jobs.present(&device, runs, expected.len()).unwrap();
            assert_eq!(device.download(found.device()).unwrap(), expected);
        }
    });
}

#[test]
fn runs_that_leave_their_jobs_are_refused() {
    on_device(module_path!(), "runs_that_leave_their_jobs_are_refused", || {
        let device = Device::open(0).unwrap();
        let device_jobs = DeviceJobs::new(&device, jobs(), squares(), 100_000, 3).unwrap();
        let run = Run { first: 0, job: 80, square: 0, number: 0 };
        let refused = [
            (vec![], 0),
            (vec![run], 11),
            (vec![Run { square: 9, ..run }], 1),
            (vec![Run { first: 1, ..run }], 2),
            (vec![run, Run { first: 12, ..run }], 10),
        ];
        for (runs, count) in refused {
            let expected =
                format!("present: {} runs are no {count} presentations of 90 jobs", runs.len());
            let error = device_jobs.present(&device, runs, count).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    });
}
