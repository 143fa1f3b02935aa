// Places of GridSample along an axis of `size` elements. `align`: -1 and 1 are the middles of the first and the last element,
// else their outer edges. Around it there is nothing (0), the element at the end (1), or the mirror image (2). On its own.

fn grid_place(x: f32, size: f32, align: bool) -> f32 {
  if (align) {
    return (x + 1.0f) / 2.0f * (size - 1.0f);
  }
  return ((x + 1.0f) * size - 1.0f) / 2.0f;
}

fn grid_reflect(x: f32, first: f32, last: f32) -> f32 {
  let length = last - first;
  if (length <= 0.0f) {
    return 0.0f;
  }
  let distance = abs(x - first);
  let turns = floor(distance / length);
  let rest = distance - turns * length;
  let half = turns / 2.0f;
  return select(last - rest, first + rest, half == floor(half));
}

// A place outside is moved before anything is read there; not to a border where four elements are read.
fn grid_settle(x: f32, size: f32, align: bool, around: u32, taps: u32) -> f32 {
  let first = select(-0.5f, 0.0f, align);
  let last = select(size - 0.5f, size - 1.0f, align);
  if (around == 0u || (around == 1u && taps == 4u) || (x >= first && x <= last)) {
    return x;
  }
  if (around == 1u) {
    return clamp(x, 0.0f, size - 1.0f);
  }
  return grid_reflect(x, first, last);
}

// The element at a whole place, -1 where there is none.
fn grid_index(x: f32, size: f32, align: bool, around: u32) -> i32 {
  var place = x;
  if (around == 2u) {
    place = round(grid_reflect(x, select(-0.5f, 0.0f, align), select(size - 0.5f, size - 1.0f, align)));
  }
  if (around != 0u) {
    place = clamp(place, 0.0f, size - 1.0f);
  }
  if (place >= 0.0f && place < size) {
    return i32(place);
  }
  return -1i;
}

// What an element counts that is so far from the place: of one, of two, or of Keys' cubic convolution with a = -0.75.
fn grid_weight(distance: f32, taps: u32) -> f32 {
  let x = abs(distance);
  if (taps == 1u) {
    return 1.0f;
  }
  if (taps == 2u) {
    return 1.0f - x;
  }
  if (x <= 1.0f) {
    return (1.25f * x - 2.25f) * x * x + 1.0f;
  }
  return select(0.0f, ((-0.75f * x + 3.75f) * x - 6.0f) * x + 3.0f, x < 2.0f);
}
