// What matmul_direct sums in: f32.

alias Sums = vec4<f32>;

fn with_products(sums: Sums, products: vec4<f32>) -> Sums {
  return sums + products;
}

fn store_sum(b: u32, m: u32, n: u32, sum: f32) {
  store(b, m, n, sum);
}
