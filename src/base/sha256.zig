//! SHA-256 of Zig's standard library, for sha256_zig.cc: OpenSSL is not to be had for WebAssembly.
const std = @import("std");
const Sha256 = std.crypto.hash.sha2.Sha256;

export fn subbyte_sha256_create() *Sha256 {
    const state = std.heap.c_allocator.create(Sha256) catch @panic("out of memory");
    state.* = Sha256.init(.{});
    return state;
}

export fn subbyte_sha256_destroy(state: *Sha256) void {
    std.heap.c_allocator.destroy(state);
}

export fn subbyte_sha256_update(state: *Sha256, bytes: [*]const u8, size: usize) void {
    state.update(bytes[0..size]);
}

/// The state starts anew.
export fn subbyte_sha256_finish(state: *Sha256, digest: *[32]u8) void {
    state.final(digest);
    state.* = Sha256.init(.{});
}
