// What matmul_direct sums in: i32, modulo 2^32, of operands that are whole numbers of at most 255 in magnitude: for depths at
// which sums of f32 might not be exact. Four products are exact in f32.

alias Sums = vec4<i32>;

fn with_products(sums: Sums, products: vec4<f32>) -> Sums {
  return sums + vec4<i32>(products);
}

fn store_sum(b: u32, m: u32, n: u32, sum: i32) {
  store_integer(b, m, n, sum);
}
