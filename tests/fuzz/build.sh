# Sourced by run.sh and keep.sh: builds the programs of `targets`, and says where they are.

host=$(rustc -vV | sed -n 's/^host: //p')
# No sanitizer: a stable Rust has none, and all that is fuzzed is safe Rust. Arithmetic is checked.
export CARGO_PROFILE_RELEASE_LTO=off
for target in "${targets[@]}"; do
	cargo fuzz build --fuzz-dir tests/fuzz --target-dir target/fuzz/build --sanitizer none --features libfuzzer "$target"
done
cargo build --quiet -p logwatch-fuzz --example corpus

program() { printf '%s\n' "target/fuzz/build/$host/release/$1"; }

# Puts a target's kept inputs into a folder.
unpacked() { cargo run --quiet -p logwatch-fuzz --example corpus -- unpack "$1" "$2"; }
