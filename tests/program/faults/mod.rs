//! What clusters do to a sweep: processes are killed, disks are full, files are damaged, images
//! change. Afterwards the maps are the same bytes as those of an undisturbed run, and nothing that
//! was finished is lost. Each test prints how often it did what.

mod workplace;

mod damage;
mod disks;
mod images;
mod kills;
mod leftovers;
mod races;
