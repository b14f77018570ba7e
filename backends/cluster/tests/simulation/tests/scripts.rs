//! The scripted runs: what a random one seldom gets to. Each is named after what it shows.

use abide_simulation::SCRIPTS;

#[test]
fn every_script_shows_what_it_is_named_after() {
    for script in &SCRIPTS {
        for seed in 1..=10 {
            if let Some(failure) = (script.run)(seed, None).failure {
                panic!("{}, seed {seed}: {failure}", script.name);
            }
        }
    }
}
