// One command of the array, as the sequencer hands it over: 32-bit words in this order. Addresses and strides in bytes.
package types;
  typedef logic signed [31:0] word;

  typedef struct packed {
    word toeplitz;       // the columns hold neighbouring outputs of a row instead of channels
    word groups;         // channel groups, or products of a batched matrix product
    word columns;        // outputs on the columns: channels of a group, or a Toeplitz block
    word batch, height, width;  // output pixels
    word inputs;         // channels of a group that are summed
    word kernel_y, kernel_x;    // kernel_x of a Toeplitz block: the input columns that it reaches
    word taps_x;         // kernel columns that carry weights
    word stride_y, stride_x, pad_y, pad_x, dilation_y, dilation_x;
    word port_bytes;     // activations that a step takes from its port, over all rows
    word x_height, x_width, x_zero;
    word x_address, x_group, x_batch, x_channel, x_row, x_column;
    word x_wide, x_unsigned;
    word w_zero, w_address, w_group, w_output, w_channel, w_row, w_column;
    word y_wide, y_address, y_group, y_batch, y_channel, y_row, y_column;
    word post_group;     // post stage's channels from one group to the next
    word has_bias, bias_address, bias_step;
    word multiplier_address, multiplier_step, shift_address, shift_step;
    word has_table, table_address, table_multiplier_address, table_multiplier_step, table_shift_address, table_shift_step;
    word y_zero, y_min, y_max;
    word divides;        // by the sum of the row's activations
  } command_t;
endpackage
