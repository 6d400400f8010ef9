// The multipliers: rows × columns, each with two accumulators and their shadow registers. Every row multiplies its
// activation by its column's weight. 16-bit activations come as a signed high and an unsigned low byte, in two passes.
module mac_array #(
    parameter int ROWS = 8,
    parameter int COLUMNS = 8
) (
    input logic clock,
    input logic step,
    input logic clear,    // the first step of a pass
    input logic high,     // the pass of high bytes
    input logic capture,  // the tile is complete after this step, or was before
    input logic signed [ROWS-1:0][8:0] activations,
    input logic signed [COLUMNS-1:0][8:0] weights,
    input int used_rows,     // the others keep still
    input int used_columns,
    input int selected,   // the column that the drain sees from this edge on
    output logic [ROWS-1:0][31:0] shadow_high,
    output logic [ROWS-1:0][31:0] shadow_low
);
  int sums[2][COLUMNS][ROWS];
  int factors[ROWS];
  int shadows[2][COLUMNS][ROWS];

  // Blocking assignments: what this process keeps is read by no other, so their order is its own.
  always_ff @(posedge clock) begin
    if (step) begin
      for (int row = 0; row < ROWS; row++) factors[row] = 32'($signed(activations[row]));
      for (int column = 0; column < used_columns; column++) begin
        automatic int weight = 32'($signed(weights[column]));
        for (int row = 0; row < used_rows; row++)
          sums[high][column][row] = (clear ? 0 : sums[high][column][row]) + factors[row] * weight;
      end
    end
    if (capture)
      for (int column = 0; column < used_columns; column++)
        for (int row = 0; row < used_rows; row++) begin
          shadows[1][column][row] = sums[1][column][row];
          shadows[0][column][row] = sums[0][column][row];
        end
    for (int row = 0; row < ROWS; row++) begin
      shadow_high[row] <= shadows[1][selected][row];
      shadow_low[row]  <= shadows[0][selected][row];
    end
  end
endmodule
