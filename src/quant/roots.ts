/** Powers that are the same bits everywhere: Math.pow, and `**` with it, differs between versions of Node. */

/** x^⅛. Of a mean of eighth powers: close to the largest magnitude, but not at the mercy of one number. */
export const eighthRoot = (x: number): number => Math.sqrt(Math.sqrt(Math.sqrt(x)));

/** x to a whole power from 0 on, by products. */
export function wholePower(x: number, exponent: number): number {
  let product = 1;
  for (let count = 0; count < exponent; count++) product *= x;
  return product;
}
