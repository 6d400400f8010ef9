// The array with its sequencer, memory ports and drain. While a tile's shadow registers are written out, column by
// column, the next tile is multiplied; a complete tile waits until the shadow registers are free. Activations arrive
// through a port of PORT_BYTES a cycle, stored codes leave through LANES lanes.
module array_unit
  import types::*;
  import arithmetic::*;
#(
    parameter int ROWS = 8,
    parameter int COLUMNS = 8,
    parameter int LANES = 128,
    parameter int PORT_BYTES = 256,
    parameter int TABLE_STEPS = 2,
    parameter int SRAM_BYTES = 65536
) (
    input logic clock,
    input logic reset,
    input logic start,
    input command_t command,
    output logic ready,  // takes a command at the next edge
    output logic busy
);
  logic [7:0] sram[SRAM_BYTES]  /*verilator public_flat_rw*/;

  function automatic logic [15:0] read16(input word address);
    return {sram[address+1], sram[address]};
  endfunction

  function automatic word read32(input word address);
    return {read16(address + 2), read16(address)};
  endfunction

  // The sequencer: tiles of a command in time, steps of a tile.
  command_t now;
  word group, pixel, first_column, channel, kernel_y, kernel_x, delivered, wanted;
  logic active, complete, second_pass;
  logic step, high, clear, last_cell, last_step, done, capture, last_tile, taken, load;
  word after_group, after_pixel, after_column;  // the tile behind this one
  logic draining, drain_ends;

  assign high = now.x_wide != 0 && !second_pass;
  assign clear = channel == 0 && kernel_y == 0 && kernel_x == 0;
  assign step = active && !complete && delivered + PORT_BYTES >= wanted + now.port_bytes;
  assign last_cell = kernel_x == now.kernel_x - 1 && kernel_y == now.kernel_y - 1;
  assign last_step = last_cell && channel == now.inputs - 1 && !high;
  assign done = complete || (step && last_step);
  assign capture = done && (!draining || drain_ends);

  word tile_columns, used_columns, tile_pixels;
  assign tile_columns = now.toeplitz != 0 ? now.columns : COLUMNS;
  assign used_columns = now.columns - first_column < tile_columns ? now.columns - first_column : tile_columns;
  assign tile_pixels = now.batch * now.height * (now.toeplitz != 0 ? (now.width + now.columns - 1) / now.columns : now.width);
  always_comb begin
    {after_group, after_pixel, after_column} = {group, pixel, first_column + tile_columns};
    if (after_column >= now.columns) {after_pixel, after_column} = {pixel + ROWS, 32'd0};
    if (after_pixel >= tile_pixels) {after_group, after_pixel} = {group + 1, 32'd0};
  end

  assign last_tile = after_group == now.groups;
  assign ready = !active || (capture && last_tile);
  assign taken = start && ready;
  assign load  = taken || (capture && !last_tile);
  assign busy  = active || draining;

  always_ff @(posedge clock) begin
    if (reset) {active, complete} <= '0;
    else begin
      if (taken) now <= command;
      active   <= load || (active && !capture);
      complete <= done && !capture;
    end
    if (load) begin
      {group, pixel, first_column} <= taken ? '0 : {after_group, after_pixel, after_column};
      {channel, kernel_y, kernel_x, delivered, wanted, second_pass} <= '0;
    end else begin
      delivered <= delivered + PORT_BYTES;
      if (step) begin
        wanted   <= wanted + now.port_bytes;
        kernel_x <= kernel_x == now.kernel_x - 1 ? 0 : kernel_x + 1;
        if (kernel_x == now.kernel_x - 1) kernel_y <= last_cell ? 0 : kernel_y + 1;
        if (last_cell) channel <= channel == now.inputs - 1 ? 0 : channel + 1;
        if (last_cell && channel == now.inputs - 1) second_pass <= 1;
      end
    end
  end

  // Operands of a step: an activation a row, a weight a column; 0 outside the image and where a block has no tap.
  logic [ROWS-1:0] used;
  logic [ROWS-1:0][31:0] x_base, top, left, y_base, y_left;
  logic signed [ROWS-1:0][8:0] activations;
  logic signed [COLUMNS-1:0][8:0] weights;

  pixels #(.ROWS(ROWS)) places (
      .command(taken ? command : now), .group(taken ? 0 : after_group), .first(taken ? 0 : after_pixel), .*
  );

  always_comb begin
    activations = '0;
    for (int row = 0; row < ROWS; row++) begin
      automatic word line = top[row] + kernel_y * now.dilation_y;
      automatic word place = left[row] + kernel_x * (now.toeplitz != 0 ? 1 : now.dilation_x);
      automatic word address = x_base[row] + channel * now.x_channel + line * now.x_row + place * now.x_column;
      if (step && used[row] && line >= 0 && line < now.x_height && place >= 0 && place < now.x_width) begin
        if (now.x_wide != 0) activations[row] = high ? 9'($signed(sram[address+1])) : {1'b0, sram[address]};
        else if (now.x_unsigned != 0) activations[row] = {1'b0, sram[address]};
        else activations[row] = 9'($signed(sram[address])) - now.x_zero[8:0];
      end
    end
  end

  always_comb begin
    weights = '0;
    for (int column = 0; column < COLUMNS; column++) begin
      automatic word offset = kernel_x - column * now.stride_x;
      automatic word tap = now.toeplitz != 0 ? offset / now.dilation_x : kernel_x;
      automatic word address = now.w_address + group * now.w_group + channel * now.w_channel + kernel_y * now.w_row
          + tap * now.w_column + (now.toeplitz != 0 ? 0 : (first_column + column) * now.w_output);
      automatic logic has_tap = now.toeplitz == 0
          || (offset >= 0 && tap < now.taps_x && tap * now.dilation_x == offset);
      if (step && first_column + column < now.columns && has_tap)
        weights[column] = 9'($signed(sram[address])) - now.w_zero[8:0];
    end
  end

  logic [ROWS-1:0][31:0] shadow_high, shadow_low;
  mac_array #(.ROWS(ROWS), .COLUMNS(COLUMNS)) array (
      .used_rows(tile_pixels - pixel < ROWS ? tile_pixels - pixel : ROWS), .used_columns(used_columns),
      .selected(capture ? 0 : out_column + 32'(out_writes)), .*
  );

  // Sums of the rows' activations, for a division on the way out.
  logic [ROWS-1:0][31:0] totals, next_totals, shadow_totals;
  always_comb begin
    next_totals = clear && step ? '0 : totals;
    if (step && now.divides != 0)
      for (int row = 0; row < ROWS; row++) next_totals[row] = next_totals[row] + 32'(activations[row]);
  end
  always_ff @(posedge clock) begin
    totals <= next_totals;
    if (capture) shadow_totals <= next_totals;
  end

  // The drain: one column of the captured tile after the other, through requantizer and table into the memory.
  command_t out;
  word out_group, out_first, out_count, out_column, out_delivered, work;
  logic [ROWS-1:0] out_used;
  logic [ROWS-1:0][31:0] out_base, out_left;
  logic out_writes;

  // Lane cycles of a column.
  always_comb begin
    work = LANES;
    if (ROWS * (1 + out.y_wide) > work) work = ROWS * (1 + out.y_wide);
    if ((out.has_table != 0 || out.divides != 0) && TABLE_STEPS * ROWS > work) work = TABLE_STEPS * ROWS;
  end
  assign out_writes = draining && out_delivered + LANES >= (out_column + 1) * work;
  assign drain_ends = out_writes && out_column == out_count - 1;

  always_ff @(posedge clock) begin
    if (reset) draining <= 0;
    else draining <= capture || (draining && !drain_ends);
    if (capture) begin
      {out, out_group, out_first} <= {now, group, first_column};
      out_count <= used_columns;
      {out_used, out_base, out_left} <= {used, y_base, y_left};
      {out_column, out_delivered} <= '0;
    end else begin
      out_delivered <= out_delivered + LANES;
      if (out_writes) out_column <= out_column + 1;
    end
  end

  // The channel's constants.
  word out_channel, bias, multiplier, shift, table_multiplier, table_shift;
  always_comb begin
    out_channel = out_group * out.post_group + (out.toeplitz != 0 ? 0 : out_first + out_column);
    bias = out.has_bias != 0 && draining ? read32(out.bias_address + out_channel * out.bias_step) : 0;
    {multiplier, shift, table_multiplier, table_shift} = '0;
    if (draining) begin
      multiplier = read32(out.multiplier_address + out_channel * out.multiplier_step);
      shift = read32(out.shift_address + out_channel * out.shift_step);
      if (out.has_table != 0) begin
        table_multiplier = read32(out.table_multiplier_address + out_channel * out.table_multiplier_step);
        table_shift = read32(out.table_shift_address + out_channel * out.table_shift_step);
      end
    end
  end

  function automatic word code(input word sum_high, input word sum_low, input word total);
    logic signed [63:0] value;
    word position, sample;
    value = (out.x_wide != 0 ? 64'(sum_high) <<< 8 : 0) + 64'(sum_low) + 64'(bias);
    if (out.divides != 0) value = divide(value, total > 0 ? 64'(total) : 64'sd1);
    value = requantize(value, multiplier, shift[5:0]);
    if (out.has_table != 0) begin
      position = clamp(value, -32768, 32767) + 32768;
      sample = interpolate(read16(out.table_address + (position >>> 7) * 2),
                           read16(out.table_address + (position >>> 7) * 2 + 2), position[6:0]);
      value = requantize(64'(sample), table_multiplier, table_shift[5:0]);
    end
    return clamp(value + 64'(out.y_zero), out.y_min, out.y_max);
  endfunction

  logic [ROWS-1:0][31:0] stored, store_at;
  logic [ROWS-1:0] stores;
  always_comb begin
    {stored, store_at, stores} = '0;
    if (out_writes)
      for (int row = 0; row < ROWS; row++) begin
        stored[row] = code(shadow_high[row], shadow_low[row], shadow_totals[row]);
        store_at[row] = out_base[row] + (out.toeplitz != 0 ? out_column * out.y_column
            : (out_first + out_column) * out.y_channel);
        stores[row] = out_used[row] && (out.toeplitz == 0 || out_column < out_left[row]);
      end
  end
  // A write port a row.
  for (genvar row = 0; row < ROWS; row++) begin : ports
    always @(posedge clock)
      if (stores[row]) begin
        sram[store_at[row]] <= stored[row][7:0];
        if (out.y_wide != 0) sram[store_at[row]+1] <= stored[row][15:8];
      end
  end
endmodule
