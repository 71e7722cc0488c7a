// Rows with many predictors: the kernels put their softmax together from this.

// The largest of `count` entries of binding z, past NaN, which the exponentials keep.
fn largest_of(z: u32, first: u32, count: u32, slot: u32) -> f32 {
    var largest = -infinity();
    for (var k = 0u; k < count; k++) {
        let value = own(z, first + k, slot);
        if (!is_nan(value) && value > largest) {
            largest = value;
        }
    }
    return largest;
}
