// Where the rows' pixels lie: x, y and batch in one sequence. Loaded once a tile; a Toeplitz row holds a block of pixels.
module pixels
  import types::*;
#(
    parameter int ROWS = 8
) (
    input logic clock,
    input logic load,
    input command_t command,
    input word group,
    input word first,
    output logic [ROWS-1:0] used,
    output logic [ROWS-1:0][31:0] x_base,  // of the image and group
    output logic [ROWS-1:0][31:0] top,     // input row and column under the window's first cell
    output logic [ROWS-1:0][31:0] left,
    output logic [ROWS-1:0][31:0] y_base,
    output logic [ROWS-1:0][31:0] y_left   // outputs to the right of it in its row, itself included
);
  word block, across;
  assign block  = command.toeplitz != 0 ? command.columns : 1;
  assign across = (command.width + block - 1) / block;

  always_ff @(posedge clock)
    if (load)
      for (int row = 0; row < ROWS; row++) begin
        automatic word index = first + row;
        automatic word image = index / (command.height * across);
        automatic word line = index / across % command.height;
        automatic word place = index % across * block;
        used[row] <= image < command.batch;
        x_base[row] <= command.x_address + group * command.x_group + image * command.x_batch;
        top[row] <= line * command.stride_y - command.pad_y;
        left[row] <= place * command.stride_x - command.pad_x;
        y_base[row] <= command.y_address + group * command.y_group + image * command.y_batch
            + line * command.y_row + place * command.y_column;
        y_left[row] <= command.width - place;
      end
endmodule
