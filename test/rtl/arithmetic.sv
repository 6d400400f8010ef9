// The post stage: docs/integer-semantics.md, with TOSA's single rounding. Every product is below 2^63.
package arithmetic;
  function automatic logic signed [63:0] requantize(
      input logic signed [63:0] value, input logic signed [31:0] multiplier, input logic [5:0] shift);
    return (value * 64'(multiplier) + (64'sd1 << (shift - 6'd1))) >>> shift;
  endfunction

  function automatic logic signed [31:0] clamp(
      input logic signed [63:0] value, input logic signed [31:0] low, input logic signed [31:0] high);
    return value < 64'(low) ? low : value > 64'(high) ? high : value[31:0];
  endfunction

  // Between two knots 128 positions apart.
  function automatic logic signed [31:0] interpolate(
      input logic signed [15:0] left, input logic signed [15:0] right, input logic [6:0] fraction);
    return 32'(left) + (((32'(right) - 32'(left)) * $signed({25'd0, fraction}) + 32'sd64) >>> 7);
  endfunction

  // floor((value * 2^16 + divisor / 2) / divisor), divisor > 0.
  function automatic logic signed [63:0] divide(input logic signed [63:0] value, input logic signed [63:0] divisor);
    logic signed [63:0] numerator;
    logic signed [63:0] quotient;
    numerator = (value <<< 16) + (divisor >>> 1);
    quotient  = numerator / divisor;
    return numerator < 0 && quotient * divisor != numerator ? quotient - 64'sd1 : quotient;
  endfunction
endpackage
